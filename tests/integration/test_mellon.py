"""mod_auth_mellon, as a town's administrator would set it up: Apache, metadata both ways, sign-on, attributes, logout."""
import html, unittest
from beffroi import *

PASSWORD = 'corail tambour 47 lune'
MODULES = '/usr/lib/apache2/modules'


def mellon_module(system):
    """The module as ./run unpacks it; unpacked for this test where nobody did."""
    kept = os.path.join(TOP, 'var', 'pkg', 'root', MODULES.lstrip('/'), 'mod_auth_mellon.so')
    for path in (kept, os.path.join(MODULES, 'mod_auth_mellon.so')):
        if os.path.exists(path):
            return path
    run(os.path.join(TOP, 'tools', 'install-packages'), '--unpack', system.path('pkg'))
    return system.path('pkg', 'root', MODULES.lstrip('/'), 'mod_auth_mellon.so')


class Mellon(unittest.TestCase):
    def setUp(self):
        self.s = System()
        self.s.__enter__()
        self.addCleanup(self.s.__exit__, None, None, None)
        self.port = free_port()
        self.url = f'http://localhost:{self.port}'
        self.apache()
        self.s.command('sp', 'add', self.s.path('mellon', 'sp.xml'), '--policy', self.s.path('mellon', 'policy.json'))
        self.s.citizen('camille', PASSWORD, authorisations=[{'code': 'peut_emprunter'}, {'code': 'peut_voter'}])

    def apache(self):
        s, dir = self.s, self.s.path('mellon')
        os.mkdir(dir)
        at = lambda n: os.path.join(dir, n)
        os.makedirs(at('www/secret'))
        run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=mellon', '-keyout',
            at('sp.key'), '-out', at('sp.pem'))
        with open(at('sp.pem')) as f:
            cert = ''.join(f.read().splitlines()[1:-1])
        b = 'urn:oasis:names:tc:SAML:2.0:bindings:'
        with open(at('sp.xml'), 'w') as f:
            f.write(f'''<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{self.url}/mellon/metadata">
<SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{cert}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>
<SingleLogoutService Binding="{b}SOAP" Location="{self.url}/mellon/logout"/>
<SingleLogoutService Binding="{b}HTTP-Redirect" Location="{self.url}/mellon/logout"/>
<NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</NameIDFormat>
<AssertionConsumerService index="0" isDefault="true" Binding="{b}HTTP-POST" Location="{self.url}/mellon/postResponse"/>
</SPSSODescriptor></EntityDescriptor>''')
        with open(at('policy.json'), 'w') as f:
            json.dump({'nameid': 'persistent', 'attributes': ['authorisations', 'town'], 'require_signed_authnrequest': True}, f)
        with open(at('idp.xml'), 'w') as f:
            f.write(Browser(s).get('/saml/metadata').text)
        with open(at('www/secret/index.html'), 'w') as f:
            f.write('<!--#echo var="MELLON_NAME_ID" --> <!--#echo var="MELLON_urn:beffroi:attribute:authorisations" -->')
        modules = ''.join(f'LoadModule {m}_module {MODULES}/mod_{m}.so\n' for m in (
            'mpm_prefork', 'authn_core', 'authz_core', 'authz_user', 'mime', 'dir', 'include', 'socache_shmcb', 'alias'))
        who = 'User nobody\nGroup nogroup\n' if os.getuid() == 0 else ''
        if who:
            modules += f'LoadModule unixd_module {MODULES}/mod_unixd.so\n' if os.path.exists(f'{MODULES}/mod_unixd.so') else ''
        with open(at('httpd.conf'), 'w') as f:
            f.write(f'''ServerRoot "{dir}"
PidFile "{dir}/httpd.pid"
Mutex file:{dir} default
DefaultRuntimeDir "{dir}"
ErrorLog "{dir}/error.log"
LogLevel warn
ServerName localhost:{self.port}
Listen 127.0.0.1:{self.port}
{modules}LoadModule auth_mellon_module {mellon_module(s)}
{who}TypesConfig /dev/null
AddType text/html .html
DocumentRoot "{dir}/www"
DirectoryIndex index.html
MellonLockFile "{dir}/mellon.lock"
<Directory "{dir}/www">
  Require all granted
  Options +Includes
  SetOutputFilter INCLUDES
</Directory>
<Location />
  MellonEnable info
  MellonEndpointPath /mellon
  MellonSecureCookie Off
  MellonSPPrivateKeyFile "{at('sp.key')}"
  MellonSPCertFile "{at('sp.pem')}"
  MellonSPMetadataFile "{at('sp.xml')}"
  MellonIdPMetadataFile "{at('idp.xml')}"
  MellonSignatureMethod rsa-sha256
  MellonMergeEnvVars On ","
  MellonSubjectConfirmationDataAddressCheck Off
</Location>
<Location /secret>
  AuthType Mellon
  MellonEnable auth
  Require valid-user
</Location>
''')
        if os.getuid() == 0:
            os.chmod(s.dir, 0o755)
            run('chown', '-R', 'nobody', dir)
        log = open(at('out.log'), 'wb')
        self.httpd = subprocess.Popen(['apache2', '-DFOREGROUND', '-f', at('httpd.conf')], stdout=log, stderr=log,
                                      env={**os.environ, 'SSL_CERT_FILE': '/dev/null'},
                                      start_new_session=True)      # it ends its whole process group
        log.close()
        self.addCleanup(self.stop)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            time.sleep(0.05)
        with open(at('out.log')) as f:
            raise AssertionError('Apache does not listen: ' + f.read())

    def stop(self):
        self.httpd.terminate()
        self.httpd.wait(20)

    def at_service(self, method, url, cookies, body=None):
        u = urllib.parse.urlsplit(url)
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        h = {'Host': f'localhost:{self.port}', 'Cookie': '; '.join(f'{k}={v}' for k, v in cookies.items())}
        if body is not None:
            body = urllib.parse.urlencode(body)
            h['Content-Type'] = 'application/x-www-form-urlencoded'
        c.request(method, u.path + ('?' + u.query if u.query else ''), body, h)
        r = c.getresponse()
        reply = Reply(r.status, r.headers, r.read())
        c.close()
        for line in r.headers.get_all('Set-Cookie') or []:
            name, value = line.split(';')[0].split('=', 1)
            cookies[name] = value
        return reply

    def walk(self, b, mine, url):
        """Goes where the service and we send the browser, until the service shows a page."""
        for _ in range(12):
            if url.startswith(self.s.url):
                r = b.get(url)
                if r.status == 200 and 'name="password"' in r.text:
                    r = b.post(url, {'csrf': b.csrf(r), 'login': 'camille', 'password': PASSWORD, 'do': 'signin'})
                if r.status == 200:
                    fields = {k: html.unescape(v) for k, v in
                              re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', r.text)}
                    action = html.unescape(re.search(r'<form method="post" action="([^"]*)"', r.text).group(1))
                    r = self.at_service('POST', action, mine, fields)
            else:
                r = self.at_service('GET', url, mine)
            if r.status not in (302, 303):
                return r
            url = urllib.parse.urljoin(url, r.headers['Location'])
        raise AssertionError('no end')

    def test_sign_on_and_logout(self):
        b, mine = Browser(self.s), {}
        r = self.walk(b, mine, self.url + '/secret/')
        with open(self.s.path('mellon', 'error.log')) as f:
            self.assertEqual(r.status, 200, r.text + f.read())
        self.assertRegex(r.text, r'^[a-z2-7]{32} peut_emprunter,peut_voter$')
        name = r.text.split()[0]
        # Another browser, the same person: the same name; no page of ours in between where there is a session.
        again = self.walk(b, {}, self.url + '/secret/')
        self.assertEqual(again.text.split()[0], name)
        # Logout at the service: its cookie and our session are gone.
        r = self.walk(b, mine, self.url + '/mellon/logout?ReturnTo=' + urllib.parse.quote(self.url + '/'))
        self.assertIn(r.status, (200, 403, 404), r.text[:300])
        self.assertIn('name="password"', b.follow(b.get('/login')).text)
        self.assertEqual(self.at_service('GET', self.url + '/secret/', mine).status, 303)

    def test_logout_here_reaches_the_service(self):
        b, mine = Browser(self.s), {}
        self.assertEqual(self.walk(b, mine, self.url + '/secret/').status, 200)
        self.assertEqual(self.at_service('GET', self.url + '/secret/', mine).status, 200)
        page = b.get('/logout')
        self.assertEqual(b.post('/logout', {'csrf': b.csrf(page)}).status, 200)
        end = time.monotonic() + 20
        while self.at_service('GET', self.url + '/secret/', mine).status == 200:
            self.assertLess(time.monotonic(), end, self.s.log('worker')[-800:])
            time.sleep(0.1)


if __name__ == '__main__':
    unittest.main(verbosity=1)
