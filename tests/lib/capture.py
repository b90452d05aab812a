"""capture: what went over loopback to and from some TCP ports, as tcpdump saw it.

    c = Capture(ports)                # raises Unavailable, with the reason, where this machine does not let us
    …
    flows = c.stop()                  # {(source port, target port): octets in their order}
"""
import contextlib, os, re, shutil, signal, struct, subprocess, tempfile, time


class Unavailable(Exception):
    pass


class Capture:
    def __init__(self, ports):
        if shutil.which('tcpdump') is None:
            raise Unavailable('tcpdump is not installed')
        self.folder = tempfile.TemporaryDirectory(prefix='beffroi-capture-')
        self.file = os.path.join(self.folder.name, 'lo.pcap')
        self.errors = os.path.join(self.folder.name, 'errors')
        argv = ['tcpdump', '-i', 'lo', '-n', '-s', '0', '-B', '65536', '-U', '-w', self.file]
        if os.geteuid() == 0:
            argv += ['-Z', 'root']            # else it gives up root, and may not write here
        with open(self.errors, 'wb') as f:
            self.process = subprocess.Popen([*argv, 'tcp and (' + ' or '.join(f'port {p}' for p in ports) + ')'],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=f)
        end = time.monotonic() + 20
        while 'listening on' not in self.said():
            if self.process.poll() is not None or time.monotonic() > end:
                self.give_up()
                raise Unavailable('no capture on loopback: ' + (self.words.splitlines() or ['tcpdump does not start'])[-1])
            time.sleep(0.05)

    def said(self):
        with open(self.errors, errors='replace') as f:
            self.words = f.read()
        return self.words

    def give_up(self):
        self.said()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def stop(self):
        time.sleep(1)                         # what is still in the kernel's ring
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
            dropped = re.search(r'(\d+) packets? dropped by kernel', self.said())
            assert dropped and dropped.group(1) == '0', self.words
            with open(self.file, 'rb') as f:
                return flows_of(f.read())
        finally:
            self.give_up()


def packets_of(pcap):
    order = {b'\xd4\xc3\xb2\xa1': '<', b'\xa1\xb2\xc3\xd4': '>'}[pcap[:4]]
    assert struct.unpack(order + 'I', pcap[20:24])[0] == 1, 'loopback looks like Ethernet'
    at = 24
    while at + 16 <= len(pcap):
        kept, was = struct.unpack(order + 'II', pcap[at + 8:at + 16])
        assert kept == was, 'a packet was cut'
        yield pcap[at + 16:at + 16 + kept]
        at += 16 + kept


def flows_of(pcap):
    flows = {}
    for p in packets_of(pcap):
        kind, ip = struct.unpack('!H', p[12:14])[0], p[14:]
        if kind == 0x0800 and ip[9] == 6:
            tcp = ip[(ip[0] & 15) * 4:struct.unpack('!H', ip[2:4])[0]]
        elif kind == 0x86dd and ip[6] == 6:
            tcp = ip[40:40 + struct.unpack('!H', ip[4:6])[0]]
        else:
            continue
        source, target, seq = struct.unpack('!HHI', tcp[:8])
        data = tcp[(tcp[12] >> 4) * 4:]
        if data:
            flows.setdefault((source, target), {}).setdefault(seq, data)
    # Loopback neither loses nor reorders; a port that is used again starts elsewhere, in its own order.
    return {ends: b''.join(parts.values()) for ends, parts in flows.items()}


def tcp_ends(pid):
    """Local and remote port of each TCP socket of a process."""
    sockets, ends = set(), set()
    for fd in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(f'/proc/{pid}/fd/{fd}'))
    for table in ('tcp', 'tcp6'):
        with contextlib.suppress(FileNotFoundError), open(f'/proc/{pid}/net/{table}') as f:
            for row in list(f)[1:]:
                cell = row.split()
                if f'socket:[{cell[9]}]' in sockets:
                    ends.add(tuple(int(c.rsplit(':', 1)[1], 16) for c in cell[1:3]))
    return ends
