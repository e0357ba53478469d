"""A small shop, served by gunicorn: pages, forms, sessions, uploads. The environment breaks it.

SHOP_DATABASE       port of MariaDB on 127.0.0.1
SHOP_PASSWORD       of the database
SHOP_SECRET         with which forms' tokens are checked
SHOP_SESSIONS       table of sessions
SHOP_URL            what redirects begin with; empty: the host that was asked
SHOP_TEMPLATES      whole; half: the second half of each page is missing; none: pages are empty
SHOP_LOCALE         en; other: quantities are not understood, so that the form is shown again
SHOP_SLOWER         seconds that every page takes longer
SHOP_PATIENCE       seconds that the database may be silent
"""

import hashlib
import os
import threading
import time
from urllib.parse import parse_qs

import pymysql

SETTING = os.environ
SLOWER = float(SETTING.get("SHOP_SLOWER", "0"))
PATIENCE = float(SETTING.get("SHOP_PATIENCE", "5"))
local = threading.local()


def query(sql, *values):
    """Runs a statement, once more over a new connection if one that was kept is broken, as pools of connections do."""
    kept = getattr(local, "connection", None) is not None
    try:
        return run(sql, values)
    except pymysql.err.OperationalError:
        disconnect()
        if not kept:
            raise
    try:
        return run(sql, values)
    except pymysql.err.OperationalError:
        disconnect()
        raise


def run(sql, values):
    if getattr(local, "connection", None) is None:
        local.connection = pymysql.connect(
            host="127.0.0.1", port=int(SETTING["SHOP_DATABASE"]), user="shop", database="shop",
            password=SETTING["SHOP_PASSWORD"], autocommit=True,
            connect_timeout=1, read_timeout=PATIENCE, write_timeout=PATIENCE)
    with local.connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() or cursor.lastrowid


def disconnect():
    connection, local.connection = getattr(local, "connection", None), None
    if connection is not None and connection.open:
        connection._force_close()


def session_of(environ):
    """The user's name and token, or None for who has not logged in."""
    for pair in environ.get("HTTP_COOKIE", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == "SESSION":
            rows = query("SELECT id, name, token FROM %s WHERE id = %%s" % SETTING["SHOP_SESSIONS"], value)
            return rows[0] if rows else None
    return None


def redirect(environ, status, path):
    base = SETTING.get("SHOP_URL") or "http://" + environ["HTTP_HOST"]
    return status, [("Location", base + path)], ""


def page(title, *parts):
    html = "<!doctype html><title>%s</title><h1>%s</h1>\n%s</html>\n" % (title, title, "\n".join(parts))
    templates = SETTING.get("SHOP_TEMPLATES", "whole")
    if templates == "half":
        html = html[:len(html) // 2]
    if templates == "none":
        html = ""
    return "200 OK", [("Content-Type", "text/html; charset=utf-8")], html


def form(token, item, problem=""):
    return page(
        "Order", "<p>%s</p>" % problem,
        '<form method="post" action="/order"><input type="hidden" name="token" value="%s">' % token,
        '<input name="item" value="%d"><input name="quantity"><button>Order</button></form>' % item,
        "<p>We send your order on the day on which it is paid.</p>" * 10)


def items(environ, user):
    rows = query("SELECT id, name, price FROM items ORDER BY id LIMIT 20")
    return page("Hello " + user[1], *('<p><a href="/item/%d">%s</a>: %d yen</p>' % row for row in rows))


def item(environ, user):
    number = int(environ["PATH_INFO"].rpartition("/")[2])
    rows = query("SELECT name, price FROM items WHERE id = %s", number)
    if not rows:
        return "404 Not Found", [("Content-Type", "text/plain")], "There is no such item.\n"
    return page("%s: %d yen" % rows[0], *["<p>It has pictures and a description.</p>"] * 20)


def order_form(environ, user):
    return form(user[2], 1)


def trusted(token, user):
    """Whether the token is the one that this secret gives to the session."""
    return token == hashlib.sha256((SETTING["SHOP_SECRET"] + user[0]).encode()).hexdigest()


FORBIDDEN = "403 Forbidden", [("Content-Type", "text/plain")], "The form has expired.\n"


def order(environ, user):
    fields = parse_qs(body(environ).decode())
    if not trusted(fields["token"][0], user):
        return FORBIDDEN
    if SETTING.get("SHOP_LOCALE", "en") != "en":
        return form(user[2], 1, "The quantity is not a number.")
    number = query(
        "INSERT INTO orders (session, item, quantity) VALUES (%s, %s, %s)",
        user[0], int(fields["item"][0]), int(fields["quantity"][0]))
    return redirect(environ, "303 See Other", "/ordered/%d" % number)


def ordered(environ, user):
    rows = query(
        "SELECT item, quantity FROM orders WHERE id = %s AND session = %s",
        int(environ["PATH_INFO"].rpartition("/")[2]), user[0])
    return page("Ordered", "<p>%d times %d</p>" % rows[0], *["<p>Thank you.</p>"] * 20)


def photo(environ, user):
    body(environ)
    if not trusted(environ["HTTP_X_TOKEN"], user):
        return FORBIDDEN
    return redirect(environ, "303 See Other", "/")


def body(environ):
    return environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def broken(environ, user):
    raise ValueError("a page that nobody has opened for years")


def heavy(environ, user):
    time.sleep(0.25)
    return page("Heavy")


def login(environ, user):
    return page("Log in", '<form method="post" action="/login"><input name="name"></form>')


def missing(environ, user):
    return "404 Not Found", [("Content-Type", "text/plain")], "There is no such page.\n"


# By method and the first part of the path; whether a session is needed.
PAGES = {
    ("GET", ""): (items, True), ("GET", "item"): (item, True),
    ("GET", "order"): (order_form, True), ("GET", "ordered"): (ordered, True),
    ("POST", "order"): (order, True), ("POST", "photo"): (photo, True),
    ("GET", "login"): (login, False), ("GET", "broken"): (broken, False), ("GET", "heavy"): (heavy, False),
}


def answer(environ):
    handler, needs = PAGES.get((environ["REQUEST_METHOD"], environ["PATH_INFO"].split("/")[1]), (missing, False))
    time.sleep(SLOWER)
    user = session_of(environ) if needs else None
    if needs and user is None:
        return redirect(environ, "302 Found", "/login")
    return handler(environ, user)


def app(environ, start):
    try:
        status, headers, text = answer(environ)
    except Exception as problem:
        status, headers, text = "500 Internal Server Error", [("Content-Type", "text/plain")], "%s\n" % problem
    text = text.encode()
    start(status, headers + [("Content-Length", str(len(text)))])
    return [text]
