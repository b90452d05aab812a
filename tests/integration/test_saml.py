"""SAML as a service sees it: sign-on, refusals, replay, logout, two nodes. The service is lasso's (tests/interop/lasso_sp.c);
requests with one thing changed are written here."""
import datetime, html, http.server, shutil, unittest, zlib
import xml.etree.ElementTree as ET
from beffroi import *

PASSWORD = 'corail tambour 47 lune'
SAMLP = 'urn:oasis:names:tc:SAML:2.0:protocol'
SAML = 'urn:oasis:names:tc:SAML:2.0:assertion'
MD = 'urn:oasis:names:tc:SAML:2.0:metadata'
BINDING = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-'
PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'
TRANSIENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient'
STATUS = 'urn:oasis:names:tc:SAML:2.0:status:'
CLASS = 'urn:oasis:names:tc:SAML:2.0:ac:classes:'
NS = {'samlp': SAMLP, 'saml': SAML, 'md': MD, 'xenc': 'http://www.w3.org/2001/04/xmlenc#'}
RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'


class Service:
    """One service: a folder for lasso_sp, and requests of our own making."""

    def __init__(self, system, name, policy=None, family=None, soap=None, signed='false', extra=()):
        self.s, self.name, self.soap = system, name, soap
        self.entity_id, self.acs = f'https://{name}.example/metadata', f'https://{name}.example/acs'
        self.dir = system.path('sp-' + name)
        os.mkdir(self.dir)
        run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', f'/CN={name}',
            '-keyout', self.file('sp-key.pem'), '-out', self.file('sp-cert.pem'))
        self.metadata(signed)
        self.write('idp.xml', Browser(system).get('/saml/metadata').text)
        self.add(policy or {}, *(['--family', family] if family else []), *extra)

    def file(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.file(name), 'w') as f:
            f.write(text)
        return self.file(name)

    def metadata(self, signed):
        with open(self.file('sp-cert.pem')) as f:
            cert = ''.join(f.read().splitlines()[1:-1])
        slo = ''.join(f'<md:SingleLogoutService Binding="{BINDING}{b}" Location="https://{self.name}.example/slo"/>'
                      for b in ('Redirect', 'POST'))
        if self.soap:
            slo = f'<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP" Location="{self.soap}"/>' + slo
        self.write('sp.xml', f'''<md:EntityDescriptor xmlns:md="{MD}" entityID="{self.entity_id}">
<md:SPSSODescriptor AuthnRequestsSigned="{signed}" protocolSupportEnumeration="{SAMLP}">
<md:KeyDescriptor><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{cert}
</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>{slo}
<md:AssertionConsumerService Binding="{BINDING}POST" Location="{self.acs}" index="0" isDefault="true"/>
<md:AssertionConsumerService Binding="{BINDING}POST" Location="{self.acs}?two=1&amp;b=2" index="1"/>
<md:AssertionConsumerService Binding="{BINDING}Artifact" Location="{self.acs}/artifact" index="2"/>
</md:SPSSODescriptor></md:EntityDescriptor>''')

    def add(self, policy, *more, check=True):
        return self.s.command('sp', 'add', self.file('sp.xml'), '--policy', self.write('policy.json', json.dumps(policy)),
                              *more, check=check)

    # --- lasso ----------------------------------------------------------------------------------------------------
    def lasso(self, *words, check=True):
        p = run(os.path.join(self.s.build, 'tests', 'lasso_sp'), self.dir, *words, check=False,
                env={**os.environ, 'SSL_CERT_FILE': '/dev/null', 'SSL_CERT_DIR': '/nonexistent'})
        if check and p.returncode != 0:
            raise AssertionError(f'lasso {words}: {p.stdout}{p.stderr}')
        return p.stdout

    def ask(self, method='redirect', nameid=PERSISTENT, *flags):
        url, body = self.lasso('authn', method, nameid, *flags).split('\n')[:2]
        return url, body

    def accept(self, response, check=True):
        return self.lasso('accept', self.write('answer', response), check=check)

    # --- by hand ----------------------------------------------------------------------------------------------------
    def request(self, id=None, age=0, destination=True, acs=None, inside='', version='2.0', **attributes):
        at = datetime.datetime.utcnow() - datetime.timedelta(seconds=age)
        a = {'ID': id or '_' + os.urandom(16).hex(), 'Version': version, 'IssueInstant': at.strftime('%Y-%m-%dT%H:%M:%SZ'),
             'Destination': self.s.url + '/saml/sso' if destination is True else destination,
             'AssertionConsumerServiceURL': acs, **attributes}
        words = ' '.join(f'{k}="{html.escape(v)}"' for k, v in a.items() if v is not None)
        return (f'<samlp:AuthnRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" {words}>'
                f'<saml:Issuer>{self.entity_id}</saml:Issuer>{inside}</samlp:AuthnRequest>')

    def redirect(self, xml, relay=None, sign=False, path='/saml/sso'):
        c = zlib.compressobj(9, zlib.DEFLATED, -15)
        q = {'SAMLRequest': base64.b64encode(c.compress(xml.encode()) + c.flush()).decode()}
        if relay is not None:
            q['RelayState'] = relay
        if sign:
            q['SigAlg'] = RSA_SHA256
        query = urllib.parse.urlencode(q)
        if sign:
            sig = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', self.file('sp-key.pem')], input=query.encode(),
                                 capture_output=True, check=True).stdout
            query += '&' + urllib.parse.urlencode({'Signature': base64.b64encode(sig).decode()})
        return path + '?' + query


class Form:
    """The page that posts an answer to a service."""

    def __init__(self, reply):
        assert reply.status == 200, (reply.status, reply.text[:400])
        m = re.search(r'<form method="post" action="([^"]*)"', reply.text)
        assert m, reply.text[:400]
        self.action = html.unescape(m.group(1))
        self.fields = {k: html.unescape(v) for k, v in
                       re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', reply.text)}
        self.xml = base64.b64decode(self.fields['SAMLResponse']).decode()
        self.root = ET.fromstring(self.xml)

    def status(self):
        codes = self.root.findall('.//samlp:StatusCode', NS)
        return tuple(c.get('Value').removeprefix(STATUS) for c in codes)

    def text(self, path):
        return [e.text for e in self.root.findall(path, NS)]


class Saml(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = System(extra='')
        cls.s.__enter__()
        cls.addClassCleanup(cls.s.__exit__, None, None, None)
        cls.sp = Service(cls.s, 'guichet', {'attributes': ['authorisations', 'town']})
        cls.signed = Service(cls.s, 'cantine', {'require_signed_authnrequest': True, 'nameid': 'persistent', 'sign': 'both'},
                             signed='true')
        cls.s.citizen('camille', PASSWORD, authorisations=[{'code': 'peut_emprunter'}, {'code': 'peut_voter'}])
        cls.b = Browser(cls.s)
        cls.b.follow(cls.b.sign_in('camille', PASSWORD))

    def refused(self, reply, status, code):
        """A page for the person: the sentence, the reference; the reason is in the log, not on the page."""
        self.assertEqual(reply.status, status, reply.text[:400])
        self.assertNotIn('SAMLResponse', reply.text)
        self.assertNotIn(code, reply.text)
        logs = self.s.log('idp1') + self.s.log('idp2')
        self.assertIn(f'"code":"{code}"', logs.replace('": "', '":"'))

    # --- metadata -----------------------------------------------------------------------------------------------------
    def test_metadata(self):
        r = Browser(self.s).get('/saml/metadata')
        self.assertEqual(r.status, 200)
        self.assertEqual(r.headers['Content-Type'], 'application/samlmetadata+xml')
        root = ET.fromstring(r.body)
        self.assertEqual(root.get('entityID'), self.s.url + '/saml/metadata')
        self.assertEqual({e.get('Location') for e in root.findall('.//md:SingleSignOnService', NS)}, {self.s.url + '/saml/sso'})
        self.assertIn('<ds:SignatureValue>', r.text)

    # --- sign-on --------------------------------------------------------------------------------------------------------
    def test_sign_on_with_a_session(self):
        for method in ('redirect', 'post'):
            for sp in (self.sp, self.signed):
                url, body = sp.ask(method)
                if method == 'redirect':
                    form = Form(self.b.get(url))
                    self.assertEqual(form.fields['RelayState'], 'relay state &=+')
                else:
                    form = Form(self.b.follow(self.b.post('/saml/sso', {'SAMLRequest': body, 'RelayState': 'é &='})))
                    self.assertEqual(form.fields['RelayState'], 'é &=')
                self.assertEqual(form.action, sp.acs)
                said = sp.accept(form.fields['SAMLResponse'])
                self.assertIn('format ' + PERSISTENT, said)
                self.assertIn('class ' + CLASS + 'PasswordProtectedTransport', said)
                self.assertEqual('attribute urn:beffroi:attribute:authorisations peut_voter' in said, sp is self.sp)
                self.assertEqual('attribute urn:beffroi:attribute:town rivemont' in said, sp is self.sp)
                self.assertNotIn('camille', form.xml)

    def test_sign_on_without_a_session_across_nodes(self):
        b = Browser(self.s)
        url, _ = self.sp.ask('redirect', TRANSIENT)
        page = b.follow(b.get(url), port=self.s.port2)
        self.assertIn('name="password"', page.text)
        form = Form(b.follow(b.post(b.at, {'csrf': b.csrf(page), 'login': 'camille', 'password': PASSWORD, 'do': 'signin'})))
        self.assertIn('peut_voter', self.sp.accept(form.fields['SAMLResponse']))
        self.assertEqual(form.fields['RelayState'], 'relay state &=+')
        again = Form(b.get(b.at, port=self.s.port2))      # Back, on the other node: the same answer once more
        self.assertEqual(again.text('.//saml:NameID'), form.text('.//saml:NameID'))

    def test_page_may_post_to_the_service_only(self):
        r = self.b.get(self.sp.ask()[0])
        csp = r.headers['Content-Security-Policy']
        self.assertIn("form-action 'self' https://guichet.example https:", csp)
        self.assertIn("default-src 'none'", csp)
        self.assertEqual(r.headers['Cache-Control'], 'no-store')

    def test_request_is_answered_once_on_either_node(self):
        request = self.sp.redirect(self.sp.request())
        Form(self.b.get(request))
        self.refused(self.b.get(request), 409, 'saml.message.replayed')
        self.refused(self.b.get(request, port=self.s.port2), 409, 'saml.message.replayed')
        Form(self.b.get(self.sp.redirect(self.sp.request())))

    def test_identifiers(self):
        other = Service(self.s, 'biblio', {'nameid': 'persistent'}, family='culture')
        cousin = Service(self.s, 'musee', {'nameid': 'persistent'}, family='culture')
        name = lambda sp, f: Form(self.b.get(sp.redirect(sp.request(inside=f'<samlp:NameIDPolicy Format="{f}"/>')))).text('.//saml:NameID')[0]
        mine = name(self.sp, PERSISTENT)
        self.assertRegex(mine, r'^[a-z2-7]{32}$')
        self.assertEqual(name(self.sp, PERSISTENT), mine)
        self.assertNotEqual(name(other, PERSISTENT), mine)
        self.assertEqual(name(other, PERSISTENT), name(cousin, PERSISTENT))
        transient = name(self.sp, TRANSIENT)
        self.assertRegex(transient, r'^_[0-9a-f]{40}$')
        self.assertNotEqual(name(self.sp, TRANSIENT), transient)
        # An agreed persistent identifier, when nothing is asked, and only the subject asked for.
        form = Form(self.b.get(other.redirect(other.request())))
        self.assertEqual(form.text('.//saml:NameID'), [name(other, PERSISTENT)])
        for subject, status in ((form.text('.//saml:NameID')[0], ('Success',)), ('x' * 32, ('Responder', 'UnknownPrincipal'))):
            inside = f'<saml:Subject><saml:NameID>{subject}</saml:NameID></saml:Subject>'
            self.assertEqual(Form(self.b.get(other.redirect(other.request(inside=inside)))).status(), status)

    def test_pairwise_id_beside_a_transient_name(self):
        sp = Service(self.s, 'sport', {'nameid': 'transient', 'attributes': ['pairwise-id', 'authorisations:peut_voter']})
        form = Form(self.b.get(sp.redirect(sp.request())))
        values = form.text('.//saml:AttributeValue')
        self.assertEqual(values[0], 'peut_voter')
        self.assertRegex(values[1], r'^[a-z2-7]{32}@idp\.beffroi\.localhost$')
        self.assertEqual(len(values), 2)
        self.assertTrue(form.text('.//saml:NameID')[0].startswith('_'))

    def test_encrypted(self):
        sp = Service(self.s, 'sante', {'encrypt': True, 'sign': 'both', 'attributes': ['authorisations']})
        url, _ = sp.ask()
        form = Form(self.b.get(url))
        self.assertEqual(form.root.findall('.//saml:Assertion', NS), [])
        self.assertIn('aes256-gcm', form.xml)
        self.assertNotIn('peut_voter', form.xml)
        self.assertIn('peut_voter', sp.accept(form.fields['SAMLResponse']))

    # --- what the service is told ------------------------------------------------------------------------------------
    def test_statuses(self):
        context = lambda c, how='exact': (f'<samlp:RequestedAuthnContext Comparison="{how}"><saml:AuthnContextClassRef>{CLASS}{c}'
                                          '</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>')
        policy = lambda a: f'<samlp:NameIDPolicy {a}/>'
        rows = [
            ({}, ('Success',)),
            ({'inside': context('Password')}, ('Success',)),
            ({'inside': context('SmartcardPKI')}, ('Responder', 'NoAuthnContext')),
            ({'inside': context('Password', 'minimum')}, ('Success',)),
            ({'inside': context('SmartcardPKI', 'better')}, ('Responder', 'NoAuthnContext')),
            ({'inside': context('SmartcardPKI', 'maximum')}, ('Success',)),
            ({'inside': context('Kerberos')}, ('Responder', 'NoAuthnContext')),
            ({'inside': policy('Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"')}, ('Requester', 'InvalidNameIDPolicy')),
            ({'inside': policy('SPNameQualifier="https://other.example/"')}, ('Requester', 'InvalidNameIDPolicy')),
            ({'inside': policy('Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"')}, ('Success',)),
            ({'IsPassive': 'true'}, ('Success',)),
            ({'IsPassive': 'true', 'ForceAuthn': 'true'}, ('Responder', 'NoPassive')),
            ({'ProtocolBinding': BINDING + 'Artifact'}, ('Responder', 'UnsupportedBinding')),
            ({'AssertionConsumerServiceIndex': '2'}, ('Responder', 'UnsupportedBinding')),
            ({'AssertionConsumerServiceIndex': '1'}, ('Success',)),
            ({'version': '1.1'}, ('VersionMismatch', 'RequestVersionTooLow')),
            ({'version': '2.1'}, ('VersionMismatch', 'RequestVersionTooHigh')),
            ({}, ('Success',)),
        ]
        for change, want in rows:
            form = Form(self.b.get(self.sp.redirect(self.sp.request(**change), relay='r')))
            self.assertEqual(form.status(), want, change)
            self.assertEqual(form.action, self.sp.acs + ('?two=1&b=2' if 'AssertionConsumerServiceIndex' in change and want == ('Success',) else ''))
            self.assertEqual(form.fields['RelayState'], 'r')
            if want != ('Success',):
                self.assertIn('<ds:SignatureValue>', form.xml)
                self.assertEqual(form.root.findall('.//saml:Assertion', NS), [])

    def test_nobody_there(self):
        b = Browser(self.s)
        url, _ = self.sp.ask('redirect', TRANSIENT, 'passive')
        form = Form(b.get(url))
        self.assertEqual(form.status(), ('Responder', 'NoPassive'))
        self.assertNotEqual(self.sp.accept(form.fields['SAMLResponse'], check=False), '')
        # A cross-site POST carries no cookie of ours: the decision is made by GET, without a page in between.
        _, body = self.sp.ask('post', TRANSIENT, 'passive')
        cookies, self.b.cookies = self.b.cookies, {}
        r = self.b.post('/saml/sso', {'SAMLRequest': body})
        self.b.cookies = cookies
        self.assertEqual(r.status, 303)
        self.assertEqual(Form(self.b.follow(r)).status(), ('Success',))
        _, body = self.sp.ask('post', TRANSIENT, 'passive')
        self.assertEqual(Form(b.follow(b.post('/saml/sso', {'SAMLRequest': body}))).status(), ('Responder', 'NoPassive'))

    def test_force_asks_again(self):
        url, _ = self.sp.ask('redirect', TRANSIENT, 'force')
        b = Browser(self.s)
        b.follow(b.sign_in('camille', PASSWORD))
        page = b.follow(b.get(url))
        self.assertIn('name="password"', page.text)
        form = Form(b.follow(b.post(b.at, {'csrf': b.csrf(page), 'login': 'camille', 'password': PASSWORD, 'do': 'signin'})))
        self.assertEqual(form.status(), ('Success',))

    def test_person_gives_up(self):
        b = Browser(self.s)
        page = b.follow(b.get(self.sp.ask()[0]))
        form = Form(b.get(html.unescape(re.search(r'id="cancel" href="([^"]+)"', page.text).group(1))))
        self.assertEqual(form.status(), ('Responder', 'AuthnFailed'))

    def test_what_is_released_is_asked_where_the_policy_says_so(self):
        with self.assertRaises(AssertionError):
            Service(self.s, 'parfois', {'consent': 'parfois'})
        sp = Service(self.s, 'accord', {'attributes': ['authorisations', 'town'], 'consent': 'first', 'nameid': 'persistent'})
        passive = lambda: Form(self.b.get(sp.redirect(sp.request(IsPassive='true')))).status()
        self.assertEqual(passive(), ('Responder', 'NoPassive'))

        def answer(do):
            page = self.b.follow(self.b.get(sp.ask()[0]))
            self.assertTrue(self.b.at.endswith('/consent'), page.text[:300])
            self.assertIn('peut_voter', page.text)
            shown = re.search(r'name="shown" value="([^"]*)"', page.text).group(1)
            return Form(self.b.follow(self.b.post(self.b.at, {'csrf': self.b.csrf(page), 'shown': shown, 'do': do})))
        self.assertEqual(answer('refuse').status(), ('Responder', 'RequestDenied'))
        form = answer('accept')
        self.assertEqual((form.status(), form.action), (('Success',), sp.acs))
        self.assertIn('peut_voter', form.xml)
        sp.accept(form.fields['SAMLResponse'])
        self.assertEqual(passive(), ('Success',))
        self.assertEqual(Form(self.b.get(sp.ask()[0])).status(), ('Success',))

    def test_nobody_asked(self):
        sp = Service(self.s, 'journal', {'allow_unsolicited': True, 'nameid': 'persistent'})
        start = lambda sp, **q: '/saml/start?' + urllib.parse.urlencode({'sp': sp.entity_id, **q})
        form = Form(self.b.get(start(sp, RelayState='/une?a=1')))
        self.assertEqual((form.status(), form.action, form.fields['RelayState']), (('Success',), sp.acs, '/une?a=1'))
        self.assertNotIn('InResponseTo', form.xml)
        self.refused(self.b.get(start(self.sp)), 403, 'saml.start')
        self.refused(self.b.get('/saml/start'), 400, 'saml.start')
        self.refused(self.b.get('/saml/start?sp=x'), 404, 'saml.issuer.unknown')
        b = Browser(self.s)
        page = b.follow(b.get(start(sp)))
        first = Form(b.follow(b.post(b.at, {'csrf': b.csrf(page), 'login': 'camille', 'password': PASSWORD, 'do': 'signin'})))
        again = Form(b.get(b.at))
        index = lambda f: f.root.find('.//saml:AuthnStatement', NS).get('SessionIndex')
        self.assertEqual(index(first), index(again))

    # --- what only the person is told ----------------------------------------------------------------------------------
    def test_refusals(self):
        good = lambda: Form(self.b.get(self.sp.redirect(self.sp.request())))
        get = lambda xml, **kw: self.b.get(self.sp.redirect(xml, **kw))
        rows = [
            (self.sp.request().replace(self.sp.entity_id, 'https://nobody.example/'), 404, 'saml.issuer.unknown'),
            (self.sp.request(acs='https://evil.example/acs'), 400, 'saml.acs.url'),
            (self.sp.request(acs=self.sp.acs + '/'), 400, 'saml.acs.url'),
            (self.sp.request(AssertionConsumerServiceIndex='9'), 400, 'saml.acs.index'),
            (self.sp.request(age=3600), 400, 'saml.message.old'),
            (self.sp.request(age=-3600), 400, 'saml.message.future'),
            (self.sp.request(destination='https://evil.example/saml/sso'), 400, 'saml.message.destination'),
            (self.sp.request(id='1a'), 400, 'saml.message.id'),
            (self.sp.request(Evil='1'), 400, 'saml.schema'),
            (self.sp.request(inside='<!-- x -->'), 400, 'saml.xml.comment'),
            ('<!DOCTYPE a>' + self.sp.request(), 400, 'saml.xml.doctype'),
            (self.sp.request(inside='x' * 70000), 400, 'saml.xml.size'),
            (self.sp.request().replace('AuthnRequest', 'LogoutRequest'), 400, 'saml.message.kind'),
            ('', 400, 'saml.xml.empty'),
        ]
        good()
        for xml, status, code in rows:
            with self.subTest(code):
                self.refused(get(xml), status, code)
        self.refused(self.b.get('/saml/sso'), 400, 'saml.redirect.message')
        self.refused(self.b.post('/saml/sso', {'SAMLRequest': '%%%'}), 400, 'saml.post.base64')
        self.refused(self.b.post('/saml/sso', {}), 400, 'saml.post.message')
        self.refused(get(self.sp.request(), relay='x' * 1025), 400, 'saml.relay_state')
        self.assertEqual(self.b.get(self.sp.redirect(self.sp.request()) + '&SAMLRequest=x').status, 400)
        good()

    def test_signatures(self):
        sp = self.signed
        good = lambda: Form(self.b.get(sp.redirect(sp.request(), 'r', sign=True)))
        good()
        self.refused(self.b.get(sp.redirect(sp.request())), 403, 'saml.signature.missing')
        self.refused(self.b.get(sp.redirect(sp.request(destination=None), sign=True)), 400, 'saml.message.destination')
        self.refused(self.b.get(sp.redirect(sp.request(), 'r', sign=True).replace('RelayState=r', 'RelayState=q')), 403,
                     'saml.signature.wrong')
        self.refused(self.b.get(sp.redirect(sp.request(), sign=True).replace('rsa-sha256', 'rsa-sha512')), 403,
                     'saml.signature.wrong')
        self.refused(self.b.get(sp.redirect(sp.request(), sign=True).replace('xmldsig-more%23rsa-sha256', 'xmldsig%23rsa-sha1')),
                     403, 'saml.signature.algorithm')
        # Signed wrongly is refused where no signature is asked for, too: with another service's key.
        key, self.sp_key = self.sp.file('sp-key.pem'), self.sp.file('right.pem')
        os.rename(key, self.sp_key)
        shutil.copy(self.signed.file('sp-key.pem'), key)
        try:
            self.refused(self.b.get(self.sp.redirect(self.sp.request(), sign=True)), 403, 'saml.signature.wrong')
        finally:
            os.rename(self.sp_key, key)
        Form(self.b.get(self.sp.redirect(self.sp.request(), sign=True)))
        _, body = sp.ask('post')
        bad = base64.b64encode(base64.b64decode(body).replace(b'guichet', b'guichez').replace(b'IsPassive="false"', b'IsPassive="true"')
                               .replace(b'AllowCreate="true"', b'AllowCreate="false"')).decode()
        self.assertNotEqual(bad, body)
        self.refused(self.b.post('/saml/sso', {'SAMLRequest': bad}), 403, 'saml.signature.wrong')
        Form(self.b.follow(self.b.post('/saml/sso', {'SAMLRequest': body})))
        good()

    # --- logout ---------------------------------------------------------------------------------------------------------
    def browser(self):
        b = Browser(self.s)
        b.follow(b.sign_in('camille', PASSWORD))
        return b

    def passive(self, b, sp=None):
        sp = sp or self.sp
        return Form(b.get(sp.redirect(sp.request(IsPassive='true')))).status()

    def test_logout(self):
        for method in ('redirect', 'post'):
            b = self.browser()
            self.sp.accept(Form(b.get(self.sp.ask()[0])).fields['SAMLResponse'])
            url, body = self.sp.lasso('logout', method).split('\n')[:2]
            if method == 'redirect':
                r = b.get(url)
                self.assertEqual(r.status, 302, r.text[:400])
                self.assertTrue(r.headers['Location'].startswith('https://guichet.example/slo?SAMLResponse='))
                self.assertIn('RelayState=bye', r.headers['Location'])
                answer = urllib.parse.urlsplit(r.headers['Location']).query
            else:
                form = Form(b.post('/saml/slo', {'SAMLRequest': body, 'RelayState': 'bye'}))
                self.assertEqual((form.action, form.fields['RelayState']), ('https://guichet.example/slo', 'bye'))
                answer = form.fields['SAMLResponse']
            self.assertIn('logged out', self.sp.lasso('logged-out', self.sp.write('answer', answer)))
            self.assertEqual(self.passive(b), ('Responder', 'NoPassive'))

    def logout_request(self, sp, name_id, index, signed=True, age=0):
        at = (datetime.datetime.utcnow() - datetime.timedelta(seconds=age)).strftime('%Y-%m-%dT%H:%M:%SZ')
        index = f'<samlp:SessionIndex>{index}</samlp:SessionIndex>' if index else ''
        return sp.redirect(f'<samlp:LogoutRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_{os.urandom(8).hex()}" Version="2.0" '
                           f'IssueInstant="{at}" Destination="{self.s.url}/saml/slo"><saml:Issuer>{sp.entity_id}</saml:Issuer>'
                           f'<saml:NameID>{name_id}</saml:NameID>{index}</samlp:LogoutRequest>', sign=signed, path='/saml/slo')

    def told(self, reply):
        """Status of a LogoutResponse by redirect."""
        self.assertEqual(reply.status, 302, reply.text[:400])
        q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(reply.headers['Location']).query))
        root = ET.fromstring(zlib.decompress(base64.b64decode(q['SAMLResponse']), -15))
        return tuple(c.get('Value').removeprefix(STATUS) for c in root.findall('.//samlp:StatusCode', NS))

    def test_logout_of_others(self):
        b, other = self.browser(), Browser(self.s)
        form = Form(b.get(self.signed.redirect(self.signed.request(), sign=True)))
        name, index = form.text('.//saml:NameID')[0], form.root.find('.//saml:AuthnStatement', NS).get('SessionIndex')
        self.refused(other.get(self.logout_request(self.signed, name, index, signed=False)), 403, 'saml.signature.missing')
        self.refused(other.get(self.logout_request(self.signed, name, index, age=3600)), 400, 'saml.message.old')
        self.assertEqual(self.told(other.get(self.logout_request(self.signed, 'x' * 32, index))), ('Requester', 'UnknownPrincipal'))
        self.assertEqual(self.told(other.get(self.logout_request(self.signed, name, index + 'x'))), ('Requester', 'UnknownPrincipal'))
        self.assertEqual(self.told(other.get(self.logout_request(self.sp, name, index))), ('Requester', 'UnknownPrincipal'))
        self.assertEqual(self.passive(b), ('Success',))
        # By name alone, from the service's own server or another browser: all sessions of the subject with it.
        self.assertEqual(self.told(other.get(self.logout_request(self.signed, name, None))), ('Success', 'PartialLogout'))
        self.assertEqual(self.passive(b), ('Responder', 'NoPassive'))

    def test_other_services_are_told(self):
        got, answers = [], []

        class Soap(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers['Content-Length'])).decode()
                got.append((self.headers['SOAPAction'], text))
                id = re.search(r' ID="([^"]+)"', text).group(1)
                body = (f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><samlp:LogoutResponse '
                        f'xmlns:samlp="{SAMLP}" ID="_x" InResponseTo="{id}" IssueInstant="2026-01-01T00:00:00Z" Version="2.0"><samlp:Status>'
                        f'<samlp:StatusCode Value="{STATUS}Success"/></samlp:Status></samlp:LogoutResponse></s:Body></s:Envelope>').encode()
                self.send_response(200)
                self.send_header('Content-Type', 'text/xml')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        server = http.server.HTTPServer(('127.0.0.1', 0), Soap)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        sp = Service(self.s, 'piscine', {'nameid': 'persistent'}, soap=f'http://127.0.0.1:{server.server_port}/slo')
        b = self.browser()
        there = Form(b.get(sp.redirect(sp.request())))
        here = Form(b.get(self.sp.redirect(self.sp.request(inside=f'<samlp:NameIDPolicy Format="{PERSISTENT}"/>'))))
        index = here.root.find('.//saml:AuthnStatement', NS).get('SessionIndex')
        self.assertEqual(self.told(b.get(self.logout_request(self.sp, here.text('.//saml:NameID')[0], index))),
                         ('Success', 'PartialLogout'))
        end = time.monotonic() + 15
        while not got and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(len(got), 1)
        self.assertIn('security', got[0][0])
        self.assertIn(there.text('.//saml:NameID')[0], got[0][1])
        self.assertIn(there.root.find('.//saml:AuthnStatement', NS).get('SessionIndex'), got[0][1])
        self.assertNotIn(here.text('.//saml:NameID')[0], got[0][1])
        self.assertIn('<ds:SignatureValue>', got[0][1])
        end = time.monotonic() + 15
        while self.s.sql("SELECT count(*) FROM job WHERE kind = 'signon.ended' AND state <> 'done'") != '0':
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    # --- the operator ---------------------------------------------------------------------------------------------------
    def test_operator(self):
        sp = Service(self.s, 'theatre', {'nameid': 'persistent'}, family='spectacle', extra=('--label-fr', 'Le théâtre'))
        name = lambda port: Form(self.b.get(sp.redirect(sp.request()), port=port)).text('.//saml:NameID')
        before = name(self.s.port)
        again = sp.add({}, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn('--replace', again.stderr)
        self.assertEqual(self.s.command('sp', 'add', sp.file('sp.xml'), '--replace').returncode, 0)
        self.assertEqual(name(self.s.port2), before, 'the family stays when it is not named')
        row = next(l for l in self.s.command('sp', 'list').stdout.splitlines() if l.startswith(sp.entity_id))
        self.assertEqual(row.split('\t')[1:], ['active', 'spectacle', '-', 'Le théâtre'])
        sp.add({'nameid': 'persistent', 'family': 'autre'}, '--replace', '--family', 'spectacle')
        self.assertEqual(self.s.command('sp', 'add', sp.file('sp.xml'), '--replace').returncode, 0)
        self.assertEqual(name(self.s.port2), before, 'an option outweighs the policy, also the next time')
        for policy, word in (({'encrypted': True}, 'encrypted'), ({'nameid': 'email'}, 'nameid'), ({'attributes': ['name']}, 'attributes')):
            bad = sp.add(policy, '--replace', check=False)
            self.assertEqual(bad.returncode, 1)
            self.assertIn(word, bad.stderr)
        self.assertEqual(sp.add({}, '--replace', '--family', 'Bad Name', check=False).returncode, 1)
        self.assertEqual(sp.add({}, '--replace', '--pin', sp.file('sp-cert.pem'), check=False).returncode, 1, 'not signed')
        self.assertEqual(self.s.command('sp', 'remove', sp.entity_id).returncode, 0)
        for port in (self.s.port, self.s.port2):      # in force on every node when the command returns
            self.refused(self.b.get(sp.redirect(sp.request()), port=port), 404, 'saml.issuer.unknown')
        self.assertNotIn(sp.entity_id, self.s.command('sp', 'list').stdout)
        sp.add({'nameid': 'persistent'}, '--family', 'spectacle')
        self.assertEqual(name(self.s.port2), before, 'identifiers outlive a removal')
        self.assertEqual(self.s.command('sp', 'remove', 'https://nobody.example/', check=False).returncode, 1)
        self.assertEqual(self.s.command('sp', 'add', sp.file('nothing.xml'), check=False).returncode, 1)

    def test_signed_metadata(self):
        sp = Service(self.s, 'archive')
        idp = Browser(self.s).get('/saml/metadata').text
        pem = self.s.path('pin.pem')
        cert = re.search(r'<ds:X509Certificate>([^<]+)', idp).group(1)
        with open(pem, 'w') as f:
            f.write('-----BEGIN CERTIFICATE-----\n' + '\n'.join(cert[i:i + 64] for i in range(0, len(cert), 64)) +
                    '\n-----END CERTIFICATE-----\n')
        # Our own metadata are signed by the pinned key, but describe no service: the signature is passed, the role is not.
        r = self.s.command('sp', 'add', sp.write('idp-copy.xml', idp), '--pin', pem, check=False)
        self.assertIn('SPSSODescriptor', r.stderr)
        r = self.s.command('sp', 'add', sp.write('idp-copy.xml', idp.replace('Rivemont', 'Rivemond')), '--pin', pem, check=False)
        self.assertIn('signature', r.stderr)

    def test_blocked_account(self):
        _, codes = self.s.citizen('alix', PASSWORD)
        b = Browser(self.s)
        b.follow(b.sign_in('alix', PASSWORD))
        self.assertEqual(self.passive(b), ('Success',))
        self.assertEqual(Browser(self.s).post('/blocage', {'code': codes['revocation'], 'do': 'block'}).status, 200)
        for port in (self.s.port, self.s.port2):
            self.assertEqual(Form(b.get(self.sp.redirect(self.sp.request(IsPassive='true')), port=port)).status(),
                             ('Responder', 'NoPassive'))


if __name__ == '__main__':
    unittest.main(verbosity=1)
