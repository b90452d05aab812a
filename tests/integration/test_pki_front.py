"""The front of the authority, as stations have it: curl with client certificates, requests and PKCS#7 of OpenSSL, over the real
signer. EST, registrations, certificates, changes, revocations; who may what; what is away; what is killed."""
import uuid

from authority import Authority
from beffroi import run


def enrols(a):
    """The thinnest path: a station asks for a new certificate of its own, and uses it."""
    answer = a.est('idp', 'simpleenroll', a.csr('idp2'))
    assert answer.status == 200, answer.body
    assert answer.headers['content-type'] == 'application/pkcs7-mime; smime-type=certs-only', answer.headers
    assert 'content-transfer-encoding' not in answer.headers          # RFC 8951
    pems = a.certificates(answer)
    assert len(pems) == 1
    a.keep('idp2', pems[0])
    run('openssl', 'verify', '-x509_strict', '-CAfile', a.path('root-ca.pem'), '-untrusted', a.path('servers-ca.pem'), a.path('idp2.pem'))
    subject = run('openssl', 'x509', '-noout', '-subject', '-nameopt', 'RFC2253', stdin=pems[0]).stdout
    assert 'CN=idp' in subject and 'somebody' not in subject, subject
    # the lost reply: the same request, the same certificate, also over the new certificate
    assert a.certificates(a.est('idp', 'simpleenroll', a.csr('idp2'))) == pems
    assert a.certificates(a.est('idp2', 'simpleenroll', a.csr('idp2'))) == pems
    assert a.sql("SELECT count(*) FROM request WHERE origin = 'est'") == '1'


def main():
    with Authority() as a:
        a.station('idp', profiles=('citizen-soft-named', 'station'))
        enrols(a)
    print('front: all well')


if __name__ == '__main__':
    main()
