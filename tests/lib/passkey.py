"""passkey: an authenticator in software (W3C Web Authentication), and codes of RFC 6238. Standard library and openssl only."""
import atexit, base64, hashlib, hmac, json, os, shutil, struct, subprocess, tempfile


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip('=')


def unb64(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def totp(key, when):
    raw = base64.b32decode(key.replace(' ', ''))
    mac = hmac.new(raw, struct.pack('>Q', int(when) // 30), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"


def cbor(v):
    """RFC 8949, definite lengths: what an authenticator needs."""
    def head(major, n):
        if n < 24:
            return bytes([major << 5 | n])
        for info, size in ((24, 1), (25, 2), (26, 4)):
            if n < 1 << 8 * size:
                return bytes([major << 5 | info]) + n.to_bytes(size, 'big')
        raise ValueError(n)
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    return head(5, len(v)) + b''.join(cbor(k) + cbor(x) for k, x in v.items())


class Passkey:
    """One credential. alg: -7 ES256, -8 EdDSA, -257 RS256."""

    def __init__(self, origin, alg=-7):
        self.origin, self.alg, self.count, self.id = origin, alg, 0, os.urandom(32)
        self.rp = origin.split('://')[1].split(':')[0]
        folder = tempfile.mkdtemp(prefix='beffroi-passkey-')
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.key = os.path.join(folder, 'key.pem')
        kind = {-7: ('EC', '-pkeyopt', 'ec_paramgen_curve:P-256'), -8: ('ED25519',), -257: ('RSA', '-pkeyopt', 'rsa_keygen_bits:2048')}
        self.openssl('genpkey', '-algorithm', *kind[alg], '-out', self.key)

    def openssl(self, *words, stdin=None):
        return subprocess.run(['openssl', *words], input=stdin, capture_output=True, check=True).stdout

    def cose(self):
        der = self.openssl('pkey', '-in', self.key, '-pubout', '-outform', 'DER')
        if self.alg == -7:
            return {1: 2, 3: -7, -1: 1, -2: der[-64:-32], -3: der[-32:]}
        if self.alg == -8:
            return {1: 1, 3: -8, -1: 6, -2: der[-32:]}
        return {1: 3, 3: -257, -1: der[-261:-5], -2: der[-3:]}

    def sign(self, data):
        if self.alg == -8:
            with tempfile.NamedTemporaryFile() as f:
                f.write(data)
                f.flush()
                return self.openssl('pkeyutl', '-sign', '-inkey', self.key, '-rawin', '-in', f.name)
        return self.openssl('dgst', '-sha256', '-sign', self.key, stdin=data)

    def client_data(self, kind, asked, **change):
        data = {'type': f'webauthn.{kind}', 'challenge': asked, 'origin': self.origin, 'crossOrigin': False}
        data.update(change)
        return json.dumps({k: v for k, v in data.items() if v is not None}).encode()

    def auth_data(self, flags, rp=None, count=None):
        return (hashlib.sha256((rp or self.rp).encode()).digest() + bytes([flags]) +
                struct.pack('>I', self.count if count is None else count))

    def create(self, asked, flags=0x41, rp=None, fmt='none', statement=None, cose=None, **change):
        """Fields of the form that adds it."""
        data = (self.auth_data(flags, rp) + bytes(16) + struct.pack('>H', len(self.id)) + self.id + cbor(cose or self.cose()))
        return {'client_data': b64(self.client_data('create', asked, **change)),
                'attestation': b64(cbor({'fmt': fmt, 'attStmt': statement or {}, 'authData': data}))}

    def get(self, asked, flags=0x05, rp=None, count=None, tamper=False, **change):
        """Fields of the form that signs in with it; the counter goes up."""
        self.count += 1
        client, auth = self.client_data('get', asked, **change), self.auth_data(flags, rp, count)
        signature = self.sign(auth + hashlib.sha256(client).digest())
        if tamper:
            auth = auth[:-1] + bytes([auth[-1] ^ 1])
        return {'do': 'passkey', 'id': b64(self.id), 'client_data': b64(client), 'auth_data': b64(auth), 'signature': b64(signature)}
