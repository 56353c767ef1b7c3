"""The guard: three gates, each enough alone to keep media out (design section 7).

*request*   may this be asked for at all: method, scheme, type of resource, ending of the address
*response*  may this answer be read: declared type, first bytes, size
*store*     may this be written: what is left after scrubbing holds no payload and no media signature

Every function here is pure: no clock, no file, no network. A gate that is in doubt says no, and whoever calls a gate
treats an exception as a no. The rules are data below, and ``docs/text-only.md`` prints them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, with the rule that said so and a reason a person can read."""

    allowed: bool
    rule: str
    reason: str


class Cut(NamedTuple):
    """One stretch taken out: what it was, where it began in the text before scrubbing, how long, and its hash."""

    kind: str
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """Text with every payload replaced by a marker, and what was replaced."""

    text: str
    cuts: tuple[Cut, ...]


ALLOWED_METHODS = ("GET", "HEAD")
ALLOWED_SCHEMES = ("http", "https")

# Resource types as Chromium names them; a page's text needs documents, scripts and what scripts read, nothing else.
ALLOWED_RESOURCES = ("document", "script", "xhr", "fetch")

# Types whose bytes are text. safety.md's allow-list, with the scripts a rendered page needs and feeds that are text.
TEXT_TYPES = frozenset(
    {
        "text/html",
        "text/plain",
        "application/xhtml+xml",
        "application/json",
        "text/xml",
        "application/xml",
        "application/ld+json",
        "application/rss+xml",
        "application/atom+xml",
        "application/problem+json",
        "application/manifest+json",
        "application/x-ndjson",
        "text/json",
        "text/markdown",
        "text/csv",
    }
)
SCRIPT_TYPES = frozenset(
    {
        "text/javascript",
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
        "text/ecmascript",
    }
)

# Endings that a server uses for what is not text. An address without one of these is judged by its answer.
_MEDIA_ENDINGS = """
jpg jpeg jpe jfif png apng gif webp avif heic heif bmp ico cur tif tiff svg svgz psd raw jxl jp2 mp4 m4v mov
avi mkv webm mpg mpeg mpe ogv wmv flv 3gp 3g2 ts m2ts m3u8 mpd mp3 m4a aac ogg oga opus wav flac wma mid midi
weba woff woff2 ttf otf eot zip gz tgz bz2 xz 7z rar tar zst br lz4 cab pdf doc docx xls xlsx ppt pptx odt ods
odp epub apk aab ipa exe msi dmg pkg deb rpm jar iso bin dll so wasm swf psb ai eps crx xpi
"""
MEDIA_ENDINGS = frozenset(_MEDIA_ENDINGS.split())

# First bytes of what must never be kept: (offset, bytes, name). Sources: the WHATWG MIME Sniffing Standard sections
# 6.1 to 6.4 and the formats' own specifications.
SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (0, b"\x00\x00\x02\x00", "image/x-icon"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"II+\x00", "image/tiff"),
    (0, b"8BPS", "image/psd"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\x00\x00\x00\x0cJXL ", "image/jxl"),
    (0, b"\x00\x00\x00\x0cjP  ", "image/jp2"),
    (0, b"\xff\x4f\xff\x51", "image/jp2"),
    (4, b"ftyp", "video/mp4"),
    (4, b"moov", "video/quicktime"),
    (4, b"mdat", "video/quicktime"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"OggS", "application/ogg"),
    (0, b"RIFF", "riff"),
    (0, b"RIFX", "riff"),
    (0, b"FORM", "audio/aiff"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"MThd", "audio/midi"),
    (0, b".snd", "audio/basic"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"FLV\x01", "video/flv"),
    (0, b"\x00\x00\x01\xba", "video/mpeg"),
    (0, b"\x00\x00\x01\xb3", "video/mpeg"),
    (0, b"0&\xb2u", "video/asf"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"OTTO", "font/otf"),
    (0, b"ttcf", "font/collection"),
    (0, b"\x00\x01\x00\x00\x00", "font/ttf"),
    (0, b"%PDF", "application/pdf"),
    (0, b"%!PS", "application/postscript"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"MSCF", "application/cab"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"MZ\x90", "application/x-msdownload"),
    (0, b"\xca\xfe\xba\xbe", "application/java"),
    (0, b"\x00asm", "application/wasm"),
    (0, b"CWS", "application/x-shockwave-flash"),
    (0, b"FWS", "application/x-shockwave-flash"),
    (0, b"ZWS", "application/x-shockwave-flash"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole"),
    (0, b"#EXTM3U", "audio/mpegurl"),
)
# The longest reach of a signature: the ustar mark.
SNIFF_LENGTH = 512
# Runs shorter than this may be a hash, a key or an identifier, and hold no picture: the smallest useful raster image
# is above 60 bytes of base64; 256 characters are 192 bytes.
BASE64_RUN = 256

_YES_REQUEST = Verdict(True, "request.allowed", "")
_YES_RESPONSE = Verdict(True, "response.allowed", "")
_YES_STORE = Verdict(True, "store.allowed", "")


def judge_request(method: str, url: str, resource: str = "document") -> Verdict:
    """The first gate. *url* is canonical; *resource* is Chromium's resource type, ``document`` for plain HTTP."""
    if method not in ALLOWED_METHODS:
        return Verdict(False, "request.method", f"only GET and HEAD are sent, not {method[:20]}")
    scheme, mark, rest = url.partition(":")
    if not mark or scheme not in ALLOWED_SCHEMES:
        return Verdict(False, "request.scheme", f"only http and https are visited, not {scheme[:20]}")
    if resource not in ALLOWED_RESOURCES:
        return Verdict(False, "request.resource", f"a page's text needs no {resource[:20]}")
    ending = media_ending(rest)
    if ending:
        return Verdict(False, "request.ending", f"an address that ends in .{ending} names something other than text")
    if carries_payload(url):
        return Verdict(False, "request.payload", "the address itself carries a payload")
    return _YES_REQUEST


def carries_payload(url: str) -> bool:
    """Whether an address holds what ``scrub`` would take out, or the marker that it left there."""
    return (len(url) >= 64 and bool(scrub(url).cuts)) or "[removed%20" in url or "[removed " in url


def media_ending(address: str) -> str:
    """The ending of an address's path if it is one of ``MEDIA_ENDINGS``, else an empty string."""
    path = address.partition("?")[0].partition("#")[0]
    name = path.rpartition("/")[2]
    if "%" in name:
        name = name.replace("%2e", ".").replace("%2E", ".")
    name, dot, ending = name.rpartition(".")
    # A bare host such as "//app.zip" has no path of its own: what follows the last slash is then a name, not a file.
    if not dot or path.count("/") < 3:
        return ""
    ending = ending.partition(";")[0].lower()
    return ending if ending in MEDIA_ENDINGS else ""


def media_type(header: str) -> str:
    """The essence of a Content-Type header: lower case, without parameters."""
    return header.partition(";")[0].strip().lower()


def judge_head(
    declared: str, length: int | None, limit: int, *, scripts: bool = False, disposition: str = ""
) -> Verdict:
    """The second gate at the headers. *declared* is the whole Content-Type, *length* the announced one in bytes."""
    essence = media_type(declared)
    if "," in essence:
        return Verdict(False, "response.type", "more than one type is declared")
    if essence and essence not in TEXT_TYPES and not (scripts and essence in SCRIPT_TYPES):
        return Verdict(False, "response.type", f"declared as {essence[:80]}")
    if disposition.strip().lower().startswith("attachment"):
        return Verdict(False, "response.attachment", "offered as a download")
    if length is not None and length > limit:
        return Verdict(False, "response.size", f"announced {length} bytes, the case allows {limit}")
    return _YES_RESPONSE


def judge_start(start: bytes, declared: str = "") -> Verdict:
    """The second gate at the first bytes of the *decoded* body."""
    found = sniff(start)
    if found:
        return Verdict(False, "response.sniffed", f"begins like {found}")
    if not declared and not _looks_like_text(start):
        return Verdict(False, "response.untyped", "no type declared, and it does not begin like text")
    return _YES_RESPONSE


def judge_piece(piece: bytes, *, wide: bool = False) -> Verdict:
    """The second gate on the way: any further piece of the *decoded* body, with the last ``PIECE_OVERLAP`` bytes before it.

    *wide* says that the text is UTF-16, half of whose bytes are NUL. What begins as text and turns into media ends here.
    """
    if any(mark in piece for mark in _INNER_MARKS):
        inside = _INNER.search(piece)
        if inside:
            return Verdict(False, "response.inside", "a media signature stands inside the text")
    if not wide and len(piece.translate(None, _NOT_CONTROL)) >= _NOISE_COUNT:
        for start in range(0, len(piece), _NOISE_WINDOW):
            window = piece[start : start + _NOISE_WINDOW]
            if len(window.translate(None, _NOT_CONTROL_OR_NUL)) >= _NOISE_COUNT:
                return Verdict(False, "response.noise", "bytes that no text holds stand inside the text")
    return _YES_RESPONSE


# Longer than any signature in ``_INNER``, so that one that is split between two reads is seen.
PIECE_OVERLAP = 32
# Of compressed data a tenth are control bytes; 40 in 1,024 is a third of that, and no text has as many. NUL is not
# counted: pages padded with it are broken text, and it carries nothing.
_NOISE_WINDOW = 1024
_NOISE_COUNT = 40
_NOT_CONTROL = bytes(
    value for value in range(256) if not (value < 9 or value == 11 or 14 <= value < 27 or 28 <= value < 32)
)
_NOT_CONTROL_OR_NUL = _NOT_CONTROL + b"\x00"


def sniff(start: bytes) -> str:
    """The name of the media signature that *start* carries, else an empty string. White space before it is passed over."""
    for offset, mark, name in SIGNATURES:
        if start.startswith(mark, offset):
            if mark == b"BM" and _looks_like_text(start):
                continue
            if mark == b"FORM" and start[8:12] not in (b"AIFF", b"AIFC", b"ILBM", b"8SVX"):
                continue
            return name
    stripped = start.lstrip(b"\t\n\x0c\r \xef\xbb\xbf")
    if stripped is not start and stripped[:12] != start[:12] and stripped:
        return sniff_at(stripped)
    # MPEG audio and transport streams have no magic number, only a sync pattern that text cannot show.
    if (
        len(start) > 3
        and start[0] == 0xFF
        and start[1] & 0xE0 == 0xE0
        and not start.startswith((b"\xff\xfe", b"\xfe\xff"))
    ):
        return "audio/mpeg"
    if len(start) > 188 and start[0] == 0x47 and start[188] == 0x47:
        return "video/mp2t"
    return ""


def sniff_at(start: bytes) -> str:
    """As ``sniff`` for bytes whose leading white space is already gone."""
    for offset, mark, name in SIGNATURES:
        # Behind white space a mark of three letters may be a word.
        telling = len(mark) > 3 or not mark.isascii()
        if offset in (0, 4) and telling and start.startswith(mark, offset):
            return name
    return ""


def _looks_like_text(start: bytes) -> bool:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    # The binary data bytes of the MIME Sniffing Standard, section 3.
    return not _BINARY.search(start)


_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")

# data: URIs, in any of the ways a page can write the scheme: plain, entity-escaped, CSS- or script-escaped. Every one of
# them holds "ata" and one of the hints; from there the pattern reads on, and a look back finds the first letter.
_DATA_HINTS = (b"ata:", b"ata&colon", b"ata&#", b"ata\\", b"ata%3a")
_DATA_URI = re.compile(
    r"""ata(?::|&colon;|&\#(?:x0*3a|0*58);?|\\0*3a\s?|\\x3a|\\u003a|%3a)
        (?P<type>[^,"'<>()\s\\]{0,200}?)
        (?:,|%2c|&comma;|&\#(?:x0*2c|0*44);?)
        (?P<payload>[^"'<>)`\s\\]*(?:\\[^"'<>`][^"'<>)`\s\\]*)*)""",
    re.IGNORECASE | re.VERBOSE,
)
_DATA_FIRST = re.compile(r"(?:d|&\#(?:x0*[46]4|0*(?:68|100));?|\\0*[46]4\s?|\\x[46]4|\\u00[46]4)\Z", re.IGNORECASE)
_RUN = re.compile(
    r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]"
    r"(?>[A-Za-z0-9+/_-]+|\\/|\\[rn]|%2[bBfF]|=?\\?\r?\n[ \t]*(?=[A-Za-z0-9+/_-]{40}))*+={0,2}"
)
_RASTER_MARKS = (
    *("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "AAAAIGZ0eX", "AAAAHGZ0eX", "AAAAGGZ0eX", "GkXfo", "T2dnUw", "SUQzB"),
    *("JVBERi", "UEsDB", "d09GMg", "d09GRg", "H4sIA"),
)
_RASTER_BYTES = tuple(mark.encode() for mark in _RASTER_MARKS)
_SHORT_RASTER = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?:" + "|".join(re.escape(mark) for mark in _RASTER_MARKS) + r")[A-Za-z0-9+/_=-]{16,}"
)
_ESCAPED_X = re.compile(r"\\x[0-9a-fA-F]{2}(?:\\x[0-9a-fA-F]{2}){63,}")
_ESCAPED_U = re.compile(r"\\u00[0-9a-fA-F]{2}(?:\\u00[0-9a-fA-F]{2}){63,}")
_LISTED_X = re.compile(r"0x[0-9a-fA-F]{2}\s*,\s*(?:0x[0-9a-fA-F]{2}\s*,\s*){31,}")
_BYTE_LIST = re.compile(r"\b[0-9]{1,3}\s*,\s*(?:[0-9]{1,3}\s*,\s*){127,}[0-9]{1,3}")


def _classes(members: bytes) -> bytes:
    return bytes(97 if value in members else 32 for value in range(256))


_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# The patterns above are slow, and most text can hold nothing for them. So the text's characters are first told apart by
# class, and only stretches that could hold a match are read: a run of 256 has 256 of its letters in a row, or it is
# folded over lines, and then 40 stand in one (the pattern asks for that many after a line's end).
_RUN_CLASS = _classes(_LETTERS + b"+/-_=%\\\r\n")
_FOLD_CLASS = _classes(_LETTERS + b"+/-_")
_WIDE_CLASS = _classes(_LETTERS + b"+/-_=%\\\r\n \t")
_LINE_CLASS = _classes(_LETTERS + b"+/")
_LIST_CLASS = _classes(b"0123456789, \t\r\n\x0b\x0c")
_FOLD = 40
_LIST = 256


def scrub(text: str, *, program: bool = False) -> Scrubbed:
    """Replace every payload in *text* by ``[removed KIND LENGTH sha256:…]`` and say what was replaced.

    Payloads are ``data:`` URIs with a body, base64 runs of ``BASE64_RUN`` characters or more, shorter ones that begin
    like a raster file, escaped or listed bytes, and the drawing of inline SVG (its words stay). Words of plain
    language are never that long and stay. With *program* (a script that a browser is to run, never stored) lists of
    numbers and drawings stay, because a program without them would not run. Never raises.
    """
    # One byte a character, so that a place in the one is the same place in the other.
    plain = text.encode("ascii", "replace")
    lower = plain.lower()
    spans = _data_uris(text, lower) + _runs(text, plain) + _short_rasters(text, plain)
    if b"<svg" in lower and not program:
        spans += _drawings(text)
    for hint, pattern in ((b"\\x", _ESCAPED_X), (b"\\u00", _ESCAPED_U), (b"0x", _LISTED_X)):
        if hint in plain:
            spans += [(found.start(), found.end(), "hex") for found in pattern.finditer(text)]
    if not program:
        spans += _byte_lists(text, plain)
    if not spans:
        return Scrubbed(text, ())
    return _take_out(text, sorted(spans))


def _data_uris(text: str, lower: bytes) -> list[tuple[int, int, str]]:
    spans = []
    for hint in _DATA_HINTS:
        at = lower.find(hint)
        while at >= 0:
            after = at + len(hint)
            back = max(0, at - 100)
            while back and lower[back - 1] == 0x30:
                back -= 1  # "&#0000…100;" may have as many noughts as it likes
            first = _DATA_FIRST.search(text, back, at)
            found = _DATA_URI.match(text, at) if first else None
            if first and found:
                after = found.end()
                # "metadata:" is a word, unless what follows says that it is none.
                begin = first.start()
                inside = begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] in "_-") and text[begin] in "dD"
                if "base64" in found["type"].lower() if inside else _is_payload(found):
                    spans.append((begin, found.end(), "data-uri"))
            at = lower.find(hint, after)
    if b";base64," in lower:
        # What the store gate would refuse is taken out, or the whole page would be lost with it.
        spans += [(found.start(), found.end(), "data-uri") for found in _PLAIN_DATA_URI.finditer(text)]
    return spans


_PLAIN_DATA_URI = re.compile(
    r"data:[a-z]+/[a-z0-9.+-]+(?:;[^,\"'<>\s]{0,100})?;base64,[A-Za-z0-9+/%][A-Za-z0-9+/%=_-]*",
    re.IGNORECASE | re.ASCII,
)


def _runs(text: str, plain: bytes) -> list[tuple[int, int, str]]:
    spans: list[tuple[int, int, str]] = []
    wide = b""
    end = 0
    for classes, least in ((_FOLD_CLASS, _FOLD), (_RUN_CLASS, BASE64_RUN)):
        marked = plain.translate(classes)
        at = marked.find(b"a" * least)
        while at >= 0:
            wide = wide or plain.translate(_WIDE_CLASS)
            begin, end = wide.rfind(b" ", 0, at) + 1, wide.find(b" ", at)
            end = len(text) if end < 0 else end
            if end - begin >= BASE64_RUN:
                long = (run for run in _RUN.finditer(text, begin, end) if run.end() - run.start() >= BASE64_RUN)
                spans += [(run.start(), run.end(), "base64") for run in long if _is_encoded(run.group())]
            at = marked.find(b"a" * least, end)
    return spans


def _short_rasters(text: str, plain: bytes) -> list[tuple[int, int, str]]:
    spans = []
    for mark in _RASTER_BYTES:
        at = plain.find(mark)
        while at >= 0:
            found = _SHORT_RASTER.match(text, at)
            if found:
                spans.append((at, found.end(), "base64"))
            at = plain.find(mark, found.end() if found else at + 1)
    return spans


def _byte_lists(text: str, plain: bytes) -> list[tuple[int, int, str]]:
    spans: list[tuple[int, int, str]] = []
    marked = plain.translate(_LIST_CLASS)
    at = marked.find(b"a" * _LIST)
    while at >= 0:
        begin, end = marked.rfind(b" ", 0, at) + 1, marked.find(b" ", at)
        end = len(text) if end < 0 else end
        spans += [(found.start(), found.end(), "bytes") for found in _BYTE_LIST.finditer(text, begin, end)]
        at = marked.find(b"a" * _LIST, end)
    return spans


_SVG_TAG = re.compile(r"<(/?)(?:svg:)?svg(?![\w:-])", re.IGNORECASE)
_SVG_WORDS = re.compile(r"<(title|desc|text|tspan|a|foreignObject)\b[^<>]*>([^<]*)", re.IGNORECASE)


def _drawings(text: str) -> list[tuple[int, int, str]]:
    """The outermost ``<svg>…</svg>`` stretches; one that never closes ends where HTML would end it."""
    tags: list[tuple[int, int, int]] = []  # where a tag begins, where it ends, where its drawing ends (-1: never)
    opened: list[int] = []
    close = 0
    for tag in _SVG_TAG.finditer(text):
        if tag.end() > close:
            close = text.find(">", tag.end()) + 1 or len(text)
        if tag[1]:
            if opened:
                begin, inside, _ = tags[number := opened.pop()]
                tags[number] = (begin, inside, close)
        elif text.endswith("/>", tag.end(), close):
            tags.append((tag.start(), close, close))
        else:
            opened.append(len(tags))
            tags.append((tag.start(), close, -1))
    spans = []
    end = 0
    for begin, inside, stop in tags:
        if begin < end:
            continue
        if stop < 0:
            out = _SVG_BREAKOUT.search(text, inside)
            stop = out.start() if out else len(text)
        end = stop
        if not _SVG_MARKER.fullmatch(text, begin, stop):
            spans.append((begin, stop, "svg"))
    return spans


# What an earlier scrubbing left of a drawing: its words.
_SVG_MARKER = re.compile(r"<svg><title>[^<]*</title></svg>")
# The tags at which a parser leaves an unclosed drawing (HTML Standard, "the rules for parsing tokens in foreign content").
_SVG_BREAKOUT = re.compile(
    r"</?(?:b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|embed|h[1-6]|head|hr|html|i|img|li|listing|menu|meta|nobr|"
    r"ol|p|pre|ruby|s|script|section|small|span|strong|strike|style|sub|sup|table|tt|u|ul|var)\b",
    re.IGNORECASE,
)


def _take_out(text: str, spans: list[tuple[int, int, str]]) -> Scrubbed:
    cuts: list[Cut] = []
    parts: list[str] = []
    end = 0
    for begin, stop, kind in spans:
        if stop <= end:
            continue
        start = max(begin, end)
        piece = text[start:stop]
        digest = hashlib.sha256(piece.encode("utf-8", "surrogatepass")).hexdigest()
        cuts.append(Cut(kind, start, len(piece), digest))
        parts += [text[end:start], _marker(kind, piece, digest)]
        end = stop
    parts.append(text[end:])
    return Scrubbed("".join(parts), tuple(cuts))


def _marker(kind: str, piece: str, digest: str) -> str:
    if kind != "svg":
        return f"[removed {kind} {len(piece)} sha256:{digest}]"
    # A comment, so that no reader takes the marker for words of the page; the drawing's own words stay in place.
    words = " ".join(found[2].strip() for found in _SVG_WORDS.finditer(piece) if found[2].strip())
    words = scrub(words).text if words else ""
    return (
        f"<!-- removed svg {len(piece)} sha256:{digest} --><svg><title>{words}</title></svg>"
        if words
        else (f"<!-- removed svg {len(piece)} sha256:{digest} -->")
    )


def _is_payload(found: re.Match[str]) -> bool:
    kind, payload = found["type"].lower(), found["payload"]
    if not payload:
        return False
    return "base64" in kind or "/" in kind or len(payload) >= 64


_PLAIN_RUN = re.compile(r"[A-Za-z0-9+/]{256,}")


def _is_encoded(run: str) -> bool:
    """Whether a long run of base64's letters is an encoding rather than a very long path, slug or name."""
    letters = run.replace("\\/", "/")
    if letters.count("/") + letters.count("-") + letters.count("_") > len(letters) // 12:
        # Paths and slugs: their words are short. An encoding has a separator about every 32 letters.
        words = re.split(r"[/_-]", letters)
        inner = (part for part in _PLAIN_RUN.findall(letters) if part != letters)
        return max(map(len, words)) >= BASE64_RUN or any(map(_is_encoded, inner))
    has_cases = letters.lower() != letters and letters.upper() != letters
    return has_cases or letters.startswith(_RASTER_MARKS) or len(set(letters)) > 12


def judge_store(block: bytes) -> Verdict:
    """The last gate, over the very bytes that would be written: no media signature, no payload left."""
    found = sniff(block[:SNIFF_LENGTH])
    if found:
        return Verdict(False, "store.signature", f"begins like {found}")
    # Most blocks hold none of the marks: a plain search for each costs less than one pattern with all of them.
    if any(mark in block for mark in _INNER_MARKS):
        inside = _INNER.search(block)
        if inside:
            return Verdict(False, "store.signature", f"holds a media signature at byte {inside.start()}")
    if b"base64" in block.lower() and _STORED_DATA_URI.search(block):
        return Verdict(False, "store.data-uri", "still holds a data: payload")
    if b"a" * 512 in block.translate(_LINE_CLASS):
        for run in _STORED_RUN.finditer(block):
            if _is_encoded(run.group().decode("ascii")):
                return Verdict(False, "store.base64", f"still holds a base64 run of {len(run.group())} characters")
    return _YES_STORE


# Signatures that cannot be text wherever they stand, for media hidden behind a text beginning or inside multipart.
_INNER_MARKS = tuple(
    b"\x89PNG \xff\xd8\xff GIF8 \x1aE\xdf\xa3 wOF PK\x03\x04 ftyp RIFF %PDF- \x1f\x8b\x08 OggS 8BPS fLaC".split()
)
_INNER = re.compile(
    rb"\x89PNG\r\n|\xff\xd8\xff[\xc0-\xfe]|GIF8[79]a[\x00-\xff]{0,6}[\x00-\x08\x0e-\x1f]|\x1aE\xdf\xa3|wOF[F2]\x00|"
    rb"PK\x03\x04[\x00-\x3f]\x00|\x00\x00\x00[\x08-\x40]ftyp|RIFF[\x00-\xff]{4}(?:WEBP|WAVE|AVI )|%PDF-1\.[0-9][\r\n]|"
    rb"\x1f\x8b\x08|OggS\x00|8BPS\x00|fLaC\x00"
)
_STORED_DATA_URI = re.compile(rb"data:[a-z]+/[a-z0-9.+-]+(?:;[^,\"'<>\s]{0,100})?;base64,[A-Za-z0-9+/%]", re.IGNORECASE)
_STORED_RUN = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{512,}")


def decodes_to_media(run: str) -> bool:
    """Whether a base64 run decodes to bytes that carry a media signature (used by the leak scan and the fuzzer)."""
    try:
        return bool(sniff(base64.b64decode(run[: SNIFF_LENGTH * 2 // 4 * 4], validate=False)[:SNIFF_LENGTH]))
    except (binascii.Error, ValueError):
        return False
