"""A mail server: smtp.py (starttls|tls) PORT FOLDER

Asks for encryption and for the user alerts with the password s3cret, with a certificate for localhost of an authority of
its own (FOLDER/ca.pem). Puts the first mail off (451), refuses mail to refused@a.example for good (550), and prints each
mail it takes as a line of JSON.
"""

import email
import email.policy
import json
import pathlib
import ssl
import sys
import threading

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

mode, port, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
authority = trustme.CA()
authority.cert_pem.write_to_path(str(folder / "ca.pem"))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
authority.issue_cert("localhost").configure_cert(context)


def authenticate(server, session, envelope, mechanism, login):
    return AuthResult(success=(login.login, login.password) == (b"alerts", b"s3cret"))


class Handler:
    put_off = True

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == "refused@a.example":
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.put_off:
            self.put_off = False
            return "451 4.7.1 try again later"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.iter_parts()}
        taken = {
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": mail["subject"], "id": mail["message-id"],
            "text": parts["text/plain"], "html": parts["text/html"],
            "encrypted": session.ssl is not None or mode == "tls",
        }
        print("mail", json.dumps(taken), flush=True)
        return "250 OK"


options = {"authenticator": authenticate, "auth_required": True, "hostname": "127.0.0.1", "port": port}
if mode == "tls":
    # The connection is encrypted from its first byte, which aiosmtpd cannot know.
    options.update(ssl_context=context, auth_require_tls=False)
else:
    options.update(tls_context=context, require_starttls=True)
Controller(Handler(), **options).start()
print("listening", flush=True)
threading.Event().wait()
