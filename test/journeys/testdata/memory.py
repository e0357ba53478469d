"""A small app whose sessions are in its memory: python3 memory.py ADDRESS PORT NAME [changing]

/login begins a session; any other page says "page" to who has one and "logged out" to everybody else.
With changing, every answer gives the session another id, as some frameworks do."""
import http.cookies
import http.server
import secrets
import sys
import threading

NAME, CHANGING = sys.argv[3], len(sys.argv) > 4
SESSIONS, LOCK = set(), threading.Lock()


class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        jar = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        session = jar["SESSION"].value if "SESSION" in jar else ""
        seen = [name for name in jar if name.startswith("yadokari")]
        with LOCK:
            known, fresh = session in SESSIONS, ""
            if self.path == "/login" or known and CHANGING:
                SESSIONS.discard(session)
                fresh = secrets.token_hex(8)
                SESSIONS.add(fresh)
        text = "sees " + " ".join(seen) if seen else "page" if known or fresh else "logged out"
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Content-Type", "text/plain")
        self.send_header("X-Server", NAME)
        if fresh:
            self.send_header("Set-Cookie", "SESSION=" + fresh + "; Path=/; HttpOnly")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


Server((sys.argv[1], int(sys.argv[2])), App).serve_forever()
