"""A mail server on a loopback port that keeps what it is given: enough of SMTP (RFC 5321, 3207,
4954) for a real client."""

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """``user``: empty where nobody has to log in. ``refused``: addresses that are not taken."""

    port: int = 0
    user: str = ""
    password: str = ""
    context: ssl.SSLContext | None = None
    refused: set[str] = field(default_factory=set)
    farewell: str = "221 bye"
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)


class _Conversation(socketserver.StreamRequestHandler):
    server: "_Listener"

    def handle(self) -> None:
        self.kept = self.server.kept
        self.is_encrypted = False
        self.is_known = not self.kept.user
        self.to: list[str] = []
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            if verb.upper() == "QUIT":
                self._say(self.kept.farewell)
                return
            answer = getattr(self, f"do_{verb.lower()}", None)
            if answer is None:
                self._say("500 what?")
            else:
                answer(rest)

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # the encrypted one is not the one that the server knows

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def do_ehlo(self, _: str) -> None:
        extras = ["250-test"]
        if self.kept.context and not self.is_encrypted:
            extras.append("250-STARTTLS")
        if self.kept.user:
            extras.append("250-AUTH PLAIN")
        self._say(*extras, "250 8BITMIME")

    def do_starttls(self, _: str) -> None:
        assert self.kept.context is not None
        self._say("220 go")
        self.connection = self.kept.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.is_encrypted = True

    def do_auth(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self.is_known = (user, password) == (self.kept.user, self.kept.password)
        self._say("235 welcome" if self.is_known else "535 wrong")

    def do_mail(self, _: str) -> None:
        self.to = []
        self._say("250 ok" if self.is_known else "530 log in first")

    def do_rcpt(self, rest: str) -> None:
        address = rest.partition("<")[2].partition(">")[0]
        if address in self.kept.refused:
            self._say("550 nobody here of that name")
        else:
            self.to.append(address)
            self._say("250 ok")

    def do_rset(self, _: str) -> None:
        self._say("250 ok")

    def do_data(self, _: str) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b"..") else line)
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.kept.mails.append(mail)
        self.kept.recipients.append(self.to)
        self.kept.encrypted.append(self.is_encrypted)
        self._say("250 kept")


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    kept: MailServer

    def handle_error(self, *_: object) -> None:
        """A client that breaks off is what some tests are about."""


@contextmanager
def mail_server(**values: object) -> Iterator[MailServer]:
    """One that takes mail until the block ends."""
    kept = MailServer(**values)  # type: ignore[arg-type]
    with _Listener(("127.0.0.1", 0), _Conversation) as listener:
        listener.kept = kept
        kept.port = listener.server_address[1]
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield kept
        finally:
            listener.shutdown()
            thread.join()
