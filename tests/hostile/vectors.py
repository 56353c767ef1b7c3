"""The ways in which a page can put media before a visitor: one vector each, with canary bytes of its own.

A vector's page shows ``{m}``, the address of its media, or ``{data}`` and the other inline forms. What the media answer
says of itself is honest unless ``declared`` says otherwise. No media here shows anything: a signature, a mark, noise.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import secrets
import tarfile
import zipfile
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

from tests.hostile.server import Answer, Asked, Site, Wild

KINDS: dict[str, tuple[str, bytes]] = {
    "png": ("image/png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"),
    "jpeg": ("image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"),
    "gif": ("image/gif", b"GIF89a\x01\x00\x01\x00\x80\x00\x00"),
    "webp": ("image/webp", b"RIFF\x24\x10\x00\x00WEBPVP8 "),
    "avif": ("image/avif", b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00"),
    "heic": ("image/heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"),
    "bmp": ("image/bmp", b"BM\x36\x10\x00\x00\x00\x00\x00\x00"),
    "ico": ("image/x-icon", b"\x00\x00\x01\x00\x01\x00\x10\x10"),
    "tiff": ("image/tiff", b"II*\x00\x08\x00\x00\x00"),
    "mp4": ("video/mp4", b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00"),
    "webm": ("video/webm", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81"),
    "ts": ("video/mp2t", b"G\x40\x00\x10" + bytes(184) + b"G\x40\x00\x10"),
    "mp3": ("audio/mpeg", b"ID3\x04\x00\x00\x00\x00\x00\x00"),
    "mp3-bare": ("audio/mpeg", b"\xff\xfb\x90\x64\x00\x00\x00\x00"),
    "ogg": ("audio/ogg", b"OggS\x00\x02\x00\x00\x00\x00"),
    "wav": ("audio/wav", b"RIFF\x24\x10\x00\x00WAVEfmt "),
    "woff2": ("font/woff2", b"wOF2\x00\x01\x00\x00"),
    "ttf": ("font/ttf", b"\x00\x01\x00\x00\x00\x0c\x00\x80"),
    "pdf": ("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
    "zip": ("application/zip", b""),
    "gz": ("application/gzip", b""),
    "tar": ("application/x-tar", b""),
    "rar": ("application/vnd.rar", b"Rar!\x1a\x07\x01\x00"),
    "wasm": ("application/wasm", b"\x00asm\x01\x00\x00\x00"),
    "psd": ("image/vnd.adobe.photoshop", b"8BPS\x00\x01\x00\x00"),
    "svg": ("image/svg+xml", b""),
    "bin": ("application/octet-stream", b"\x89PNG\r\n\x1a\n"),
}
# Behind these a server may not even be asked: the address or the tag says that it is media.
NEVER = "never asked"
CUT = "cut at its type"
INLINE = "taken out of the page"


@dataclass(frozen=True)
class Vector:
    """One way. ``expects`` says what is promised: never asked for, cut at its type or first bytes, or taken out."""

    name: str
    expects: str
    page: str = ""
    declared: str = ""
    kind: str = "png"
    head: tuple[tuple[str, str], ...] = ()
    media_head: tuple[tuple[str, str], ...] = ()
    before: bytes = b""
    status: int = 200
    chunked: bool = False
    ending: str = ""
    wrap: str = ""
    content_type: str = "text/html; charset=utf-8"


def _tags() -> list[Vector]:
    forms = {
        "img": '<img src="{m}" alt="">',
        "img-srcset": '<img srcset="{m} 1x, {m}?2 2x" alt="">',
        "img-sizes": '<img sizes="100vw" srcset="{m} 300w" src="{m}" alt="">',
        "img-lazy": '<img loading="lazy" src="{m}" alt="">',
        "img-eager": '<img fetchpriority="high" decoding="sync" src="{m}" alt="">',
        "img-attribution": '<img attributionsrc="{m}" src="{m}" alt="">',
        "img-crossorigin": '<img crossorigin="use-credentials" src="{m}" alt="">',
        "picture-source": '<picture><source srcset="{m}" type="image/avif"><img src="{m}" alt=""></picture>',
        "input-image": '<input type="image" src="{m}" alt="">',
        "video": '<video src="{m}" preload="auto" autoplay muted></video>',
        "video-source": '<video autoplay muted><source src="{m}" type="video/mp4"></video>',
        "video-poster": '<video poster="{m}"></video>',
        "audio": '<audio src="{m}" preload="auto" autoplay></audio>',
        "track": '<video><track default src="{m}" kind="subtitles"></video>',
        "object": '<object data="{m}"></object>',
        "object-typed": '<object data="{m}" type="image/png"></object>',
        "embed": '<embed src="{m}">',
        "embed-pdf": '<embed src="{m}" type="application/pdf">',
        "svg-image": '<svg><image href="{m}"/></svg>',
        "svg-xlink": '<svg xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="{m}"/></svg>',
        "svg-use": '<svg><use href="{m}#a"/></svg>',
        "svg-feimage": '<svg><filter id="f"><feImage href="{m}"/></filter><rect filter="url(#f)" width="9" height="9"/></svg>',
        "body-background": '<table background="{m}"><tr><td>Cell</td></tr></table><script>document.body.background="{m}"</script>',
        "link-icon": '<link rel="icon" href="{m}">',
        "link-shortcut-icon": '<link rel="shortcut icon" href="{m}">',
        "link-touch-icon": '<link rel="apple-touch-icon" href="{m}">',
        "link-mask-icon": '<link rel="mask-icon" href="{m}">',
        "link-preload-image": '<link rel="preload" as="image" href="{m}">',
        "link-preload-font": '<link rel="preload" as="font" crossorigin href="{m}">',
        "link-preload-video": '<link rel="preload" as="video" href="{m}">',
        "link-preload-fetch-image": '<link rel="preload" as="image" imagesrcset="{m} 1x">',
        "link-prefetch": '<link rel="prefetch" href="{m}">',
        "link-prerender": '<link rel="prerender" href="{m}">',
        "link-image-src": '<link rel="image_src" href="{m}">',
        "meta-og-image": '<meta property="og:image" content="{m}"><meta name="twitter:image" content="{m}">',
        "meta-tile-image": '<meta name="msapplication-TileImage" content="{m}">',
        "speculation-rules": '<script type="speculationrules">{{"prefetch": [{{"source": "list", "urls": ["{m}"]}}], '
        '"prerender": [{{"source": "list", "urls": ["{m}?p"]}}]}}</script>',
        "css-background": '<style>body {{ background: url("{m}") }}</style>',
        "css-inline-background": '<div style="background-image: url({m}); width: 9px; height: 9px">.</div>',
        "css-content": '<style>p::before {{ content: url("{m}") }}</style>',
        "css-cursor": '<style>html {{ cursor: url("{m}"), auto }}</style>',
        "css-list": '<style>li {{ list-style-image: url("{m}") }}</style><ul><li>Item</li></ul>',
        "css-border": '<style>div {{ border: 9px solid; border-image: url("{m}") 9 }}</style><div>Box</div>',
        "css-mask": '<style>div {{ mask-image: url("{m}"); -webkit-mask-image: url("{m}") }}</style><div>Box</div>',
        "css-image-set": '<style>div {{ background: image-set("{m}" 1x) }}</style><div>Box</div>',
        "css-import": '<style>@import url("{m}");</style>',
        "css-font": '<style>@font-face {{ font-family: F; src: url("{m}") }} body {{ font-family: F }}</style>',
        "css-link": '<link rel="stylesheet" href="{m}">',
        "css-link-alternate": '<link rel="alternate stylesheet" title="b" href="{m}">',
        "srcdoc-img": '<iframe srcdoc="<img src=&quot;{m}&quot;>"></iframe>',
        "shadow-root": '<div><template shadowrootmode="open"><img src="{m}" alt=""></template></div>',
        "noscript-img": '<noscript><img src="{m}" alt=""></noscript>',
        "portal": '<portal src="{m}"></portal><fencedframe src="{m}"></fencedframe>',
    }
    return [Vector(f"tag-{name}", NEVER, page) for name, page in forms.items()]


def _scripts() -> list[Vector]:
    never = {
        "new-image": 'new Image().src = "{m}";',
        "audio": 'new Audio("{m}").play().catch(() => 0);',
        "document-write": "document.write('<img src=\"{m}\">');",
        "inner-html": "document.querySelector('p').innerHTML += '<img src=\"{m}\"><video src=\"{m}\" autoplay></video>';",
        "beacon": 'navigator.sendBeacon("{m}", "x");',
        "beacon-prototype": 'Navigator.prototype.sendBeacon.call(navigator, "{m}", "x");',
        "post": 'fetch("{m}", {{method: "POST", body: "x"}}).catch(() => 0);',
        "put": 'const x = new XMLHttpRequest(); x.open("PUT", "{m}"); x.send("x");',
        "form-post": 'const f = document.createElement("form"); f.method = "post"; f.action = "{m}"; document.body.append(f); '
        "HTMLFormElement.prototype.submit.call(f);",
        "form-click": "document.body.insertAdjacentHTML('beforeend', '<form action=\"{m}\" method=post><button id=b>Go</button>"
        "</form>'); document.getElementById('b').click();",
        "ping": 'document.body.insertAdjacentHTML("beforeend", \'<a id=p ping="{m}" href="#x">Ping</a>\'); '
        "document.getElementById('p').click();",
        "window-open": 'window.open("{m}");',
        "frame-window-open": 'const f = document.createElement("iframe"); document.body.append(f); f.contentWindow.open("{m}");',
        "target-blank": 'const a = document.createElement("a"); a.href = "{m}"; a.target = "_blank"; a.click();',
        "target-blank-opener": 'const a = document.createElement("a"); a.href = "{m}"; a.target = "x"; a.rel = "opener"; a.click();',
        "popup-write": "const w = window.open('about:blank'); if (w) w.document.write('<img src=\"{m}\">');",
        "web-socket": 'try {{ new WebSocket("{m}".replace("http", "ws")); }} catch (e) {{}}',
        "event-source": 'try {{ new EventSource("{m}"); }} catch (e) {{}}',
        "frame-event-source": 'const f = document.createElement("iframe"); document.body.append(f); '
        'try {{ new f.contentWindow.EventSource("{m}"); }} catch (e) {{}}',
        "web-rtc": "try {{ new RTCPeerConnection({{iceServers: [{{urls: 'stun:{host}'}}]}}).createDataChannel('x'); }} catch (e) {{}}",
        "web-transport": 'try {{ new WebTransport("{m}"); }} catch (e) {{}}',
        "shared-worker": 'try {{ new SharedWorker("{m}"); }} catch (e) {{}}',
        "worker-socket": 'new Worker(URL.createObjectURL(new Blob([\'try {{ new WebSocket("{m}".replace("http", "ws")) }} '
        'catch (e) {{}} try {{ new EventSource("{m}") }} catch (e) {{}}\'])));',
        "font-face": 'new FontFace("F", "url({m})").load().catch(() => 0);',
        "css-om": 'const s = new CSSStyleSheet(); s.replaceSync("body {{ background: url({m}) }}"); '
        "document.adoptedStyleSheets = [s];",
        "notification": 'try {{ new Notification("x", {{icon: "{m}"}}); }} catch (e) {{}}',
        "media-session": 'try {{ navigator.mediaSession.metadata = new MediaMetadata({{artwork: [{{src: "{m}"}}]}}); }} catch (e) {{}}',
        "lazy-data-src": "document.querySelectorAll('[data-src]').forEach((i) => {{ i.src = i.dataset.src; }});",
        "image-decode": 'const i = new Image(); i.src = "{m}"; i.decode().catch(() => 0);',
        "service-worker": 'navigator.serviceWorker && navigator.serviceWorker.register("{m}", {{scope: "./"}}).catch(() => 0);',
        "background-fetch": "navigator.serviceWorker && navigator.serviceWorker.ready.then((r) => r.backgroundFetch.fetch('b', "
        '["{m}"])).catch(() => 0);',
    }
    read = "const show = (text) => document.body.append(text);"
    cut = {
        "fetch": f'{read} fetch("{{m}}").then((r) => r.text()).then(show).catch(() => 0);',
        "fetch-no-cors": 'fetch("{m}", {{mode: "no-cors"}}).catch(() => 0);',
        "fetch-blob": 'fetch("{m}").then((r) => r.blob()).then((b) => {{ const i = new Image(); i.src = URL.createObjectURL(b); '
        "document.body.append(i); }}).catch(() => 0);",
        "fetch-data-url": 'fetch("{m}").then((r) => r.blob()).then((b) => {{ const f = new FileReader(); f.onload = () => {{ '
        "document.body.append(f.result); }}; f.readAsDataURL(b); }}).catch(() => 0);",
        "fetch-cache": 'fetch("{m}").then((r) => caches.open("c").then((c) => c.put("x", r))).catch(() => 0);',
        "fetch-indexed": 'fetch("{m}").then((r) => r.text()).then((t) => localStorage.setItem("x", t)).catch(() => 0);',
        "fetch-keepalive": 'fetch("{m}", {{keepalive: true}}).catch(() => 0);',
        "xhr-text": f'{read} const x = new XMLHttpRequest(); x.open("GET", "{{m}}"); x.onload = () => show(x.responseText); x.send();',
        "xhr-buffer": 'const x = new XMLHttpRequest(); x.open("GET", "{m}"); x.responseType = "arraybuffer"; x.onload = () => '
        "{{ document.body.append(btoa(String.fromCharCode(...new Uint8Array(x.response)))); }}; x.send();",
        "xhr-sync": f'{read} const x = new XMLHttpRequest(); x.open("GET", "{{m}}", false); try {{{{ x.send(); show(x.responseText); '
        "}}}} catch (e) {{{{}}}}",
        "worker": 'try {{ new Worker("{m}"); }} catch (e) {{}}',
        "worker-import": "new Worker(URL.createObjectURL(new Blob(['try {{ importScripts(\"{m}\") }} catch (e) {{}}'])));",
        "worker-fetch": 'const w = new Worker(URL.createObjectURL(new Blob([\'fetch("{m}").then((r) => r.text())'
        ".then((t) => postMessage(t))']))); w.onmessage = (e) => document.body.append(e.data);",
        "dynamic-import": 'import("{m}").catch(() => 0);',
        "wasm": 'WebAssembly.instantiateStreaming(fetch("{m}")).catch(() => 0);',
        "image-bitmap": 'fetch("{m}").then((r) => r.blob()).then(createImageBitmap).catch(() => 0);',
        "css-paint": 'try {{ CSS.paintWorklet.addModule("{m}").catch(() => 0); }} catch (e) {{}}',
        "audio-worklet": 'try {{ new AudioContext().audioWorklet.addModule("{m}").catch(() => 0); }} catch (e) {{}}',
        "decode-audio": 'fetch("{m}").then((r) => r.arrayBuffer()).then((b) => new OfflineAudioContext(1, 1, 8000)'
        ".decodeAudioData(b)).catch(() => 0);",
        "location": 'location.href = "{m}";',
        "location-replace": 'location.replace("{m}");',
        "download-click": 'const a = document.createElement("a"); a.href = "{m}"; a.download = "x"; document.body.append(a); a.click();',
        "form-get": 'const f = document.createElement("form"); f.action = "{m}"; document.body.append(f); '
        "HTMLFormElement.prototype.submit.call(f);",
        "script-frame": 'const f = document.createElement("iframe"); f.src = "{m}"; document.body.append(f);',
    }
    found = [Vector(f"script-{name}", NEVER, f"<script>{code}</script>") for name, code in never.items()]
    found += [Vector(f"script-{name}", CUT, f"<script>{code}</script>") for name, code in cut.items()]
    lies = ("fetch", "fetch-data-url", "xhr-buffer", "worker-fetch", "dynamic-import")
    found += [
        Vector(f"script-{name}-lie", CUT, f"<script>{cut[name]}</script>", declared="text/javascript") for name in lies
    ]
    found.append(Vector("script-src", CUT, '<script src="{m}"></script>'))
    found.append(Vector("script-src-lie", CUT, '<script src="{m}"></script>', declared="application/javascript"))
    found.append(Vector("script-module", CUT, '<script type="module" src="{m}"></script>'))
    found.append(
        Vector(
            "script-import-map",
            CUT,
            '<script type="importmap">{{"imports": {{"x": "{m}"}}}}</script><script type="module">import "x";</script>',
        )
    )
    found.append(Vector("link-modulepreload", CUT, '<link rel="modulepreload" href="{m}">'))
    found.append(Vector("link-preload-script", CUT, '<link rel="preload" as="script" href="{m}">'))
    found.append(Vector("link-preload-fetch", CUT, '<link rel="preload" as="fetch" crossorigin href="{m}">'))
    found.append(
        Vector("link-manifest", NEVER, '<link rel="manifest" href="{m}">', declared="application/manifest+json")
    )
    return found


def _inline() -> list[Vector]:
    # The script takes the mark apart, so that the page's own source does not hold it: what is looked for is what it makes.
    build = (
        "const mark = [...'{reversed}'].reverse().join(''); const bytes = '\\x89PNG\\r\\n\\x1a\\n' + mark.repeat(9);"
    )
    forms = {
        "data-img": '<img src="{data}" alt="">',
        "data-img-single": "<img src='{data}' alt=''>",
        "data-img-bare": "<img src={data} alt=x>",
        "data-upper": '<img src="{data_upper}" alt="">',
        "data-percent": '<img src="{data_percent}" alt="">',
        "data-entity": '<img src="{data_entity}" alt="">',
        "data-spaces": '<img src="{data_spaced}" alt="">',
        "data-css": "<style>body {{ background: url({data}) }}</style>",
        "data-css-escaped": "<style>body {{ background: url({data_css}) }}</style>",
        "data-font": "<style>@font-face {{ font-family: F; src: url({data}) }}</style>",
        "data-script": '<script>const picture = "{data}";</script>',
        "data-script-escaped": '<script>const picture = "{data_js}";</script>',
        "data-json-ld": '<script type="application/ld+json">{{"@type": "Product", "image": "{data}"}}</script>',
        "data-json-slashes": '<script type="application/json">{{"image": "{data_slashes}"}}</script>',
        "data-href": '<a href="{data}">Save</a>',
        "data-object": '<object data="{data}"></object>',
        "data-srcset": '<img srcset="{data} 1x" alt="">',
        "data-srcdoc": '<iframe srcdoc="&lt;img src=&quot;{data}&quot;&gt;"></iframe>',
        "data-iframe": '<iframe src="{data}"></iframe>',
        "data-comment": "<!-- {data} -->",
        "data-noscript": '<noscript><img src="{data}" alt=""></noscript>',
        "data-template": '<template><img src="{data}" alt=""></template>',
        "data-attribute": '<div data-bg="{data}">Box</div>',
        "data-source-map": "<script>//# sourceMappingURL={data}</script>",
        "data-refresh": '<meta http-equiv="refresh" content="0;url={data}">',
        "data-svg-text": '<img src="data:image/svg+xml;utf8,<svg xmlns=%27http://www.w3.org/2000/svg%27>'
        '<path d=%27{mark}%27/></svg>" alt="">',
        "base64-json": '<script type="application/json">{{"thumbnail": "{base64}"}}</script>',
        "base64-lines": '<script type="text/plain">\n{base64_lines}\n</script>',
        "base64-url": '<script type="application/json">{{"thumbnail": "{base64_url}"}}</script>',
        "base64-text": "<pre>{base64}</pre>",
        "base64-attribute": '<div data-state="{base64}">Box</div>',
        "base64-escaped": '<script>const s = "{base64_slashes}";</script>',
        "base64-percent": '<div data-state="{base64_percent}">Box</div>',
        "base64-joined": "<script>const s = {base64_joined};</script>",
        "base64-spaced": "<pre>{base64_spaced}</pre>",
        "base64-textarea": "<textarea>{base64}</textarea>",
        "hex": '<script>const s = "{hex}";</script>',
        "hex-upper": '<script>const s = "{hex_upper}";</script>',
        "hex-escaped": '<script>const s = "{hex_escaped}";</script>',
        "unicode-escaped": '<script>const s = "{u_escaped}";</script>',
        "byte-list": "<script>const s = new Uint8Array([{byte_list}]);</script>",
        "byte-list-hex": "<script>const s = new Uint8Array([{byte_list_hex}]);</script>",
        "svg-path": '<svg><path d="M0 0 {mark}"/></svg>',
        "svg-foreign": '<svg><foreignObject><img src="{data}"/></foreignObject><path d="{mark}"/></svg>',
        "svg-unclosed": '<p>Before</p><svg><path d="{mark}"/>',
        "svg-nested": '<svg><svg><path d="{mark}"/></svg><path d="{mark}"/></svg>',
        "built-data-url": f"<script>{build} const i = new Image(); i.src = 'data:image/png;base64,' + btoa(bytes); "
        "document.body.append(i);</script>",
        "built-text": f"<script>{build} document.body.append(btoa(bytes));</script>",
        "built-blob": f"<script>{build} const i = new Image(); "
        "i.src = URL.createObjectURL(new Blob([bytes], {{type: 'image/png'}})); document.body.append(i);</script>",
        "built-canvas": f"<script>{build} const c = document.createElement('canvas'); c.width = c.height = 64; "
        "const x = c.getContext('2d'); x.fillText(mark, 0, 9); document.body.append(c.toDataURL());</script>",
        "built-svg": f"<script>{build} document.body.insertAdjacentHTML('beforeend', '<svg><path d=\"' + mark + '\"/></svg>');</script>",
        "built-cookie": f"<script>{build} document.cookie = 'c=' + encodeURIComponent(btoa(bytes)); localStorage.c = btoa(bytes); "
        "document.body.append('The script ran.');</script>",
        "built-history": f"<script>{build} history.replaceState(0, '', '?p=' + encodeURIComponent(btoa(bytes)));</script>",
        "built-title": f"<script>{build} document.title = btoa(bytes);</script>",
    }
    return [Vector(f"inline-{name}", INLINE, page) for name, page in forms.items()]


def _links() -> list[Vector]:
    link = '<a href="{m}">A link</a>'
    found = [Vector(f"typed-{kind}", CUT, link, kind=kind) for kind in KINDS]
    # Bytes that no signature tells from noise end by the type alone; as a lie they carry a signature.
    found += [Vector(f"lie-{kind}", CUT, link, kind=kind, declared="text/html") for kind in KINDS if kind != "svg"]
    found += [
        Vector(f"untyped-{kind}", CUT, link, kind=kind, declared="-") for kind in ("png", "mp4", "mp3-bare", "pdf")
    ]
    found += [
        Vector(f"ending-{name}", NEVER, f'<a href="{{m}}{ending}">A link</a>', declared="text/html", ending=ending)
        for name, ending in {
            "plain": ".png",
            "upper": ".JPG",
            "query": ".mp4?x=1",
            "encoded": "%2epdf",
            "parameter": ".zip;v=2",
            "double": ".tar.gz",
        }.items()
    ]
    odd = {
        "type-case": {"declared": "IMAGE/PNG"},
        "type-parameters": {"declared": "image/png; charset=utf-8; x=text/html"},
        "type-list": {"declared": "text/html, image/png"},
        "type-semicolon": {"declared": "text/html;image/png"},
        "type-twice": {"declared": "text/html", "media_head": (("Content-Type", "image/png"),)},
        "type-blank": {"declared": " "},
        "type-nonsense": {"declared": "text/html/image"},
        "type-vendor": {"declared": "application/vnd.anything"},
        "leading-space": {"declared": "text/html", "wrap": "space"},
        "leading-bom": {"declared": "text/html", "wrap": "bom"},
        "late": {"declared": "text/html", "wrap": "late"},
        "late-chunked": {"declared": "text/html", "wrap": "late", "chunked": True},
        "late-json": {"declared": "application/json", "wrap": "late"},
        "late-zip": {"declared": "text/plain", "wrap": "late", "kind": "zip"},
        "late-mp4": {"declared": "text/plain", "wrap": "late", "kind": "mp4"},
        "polyglot-gif": {"declared": "text/html", "wrap": "polyglot"},
        "multipart-replace": {"declared": "multipart/x-mixed-replace; boundary=b", "wrap": "multipart"},
        "multipart-mixed": {"declared": "multipart/mixed; boundary=b", "wrap": "multipart"},
        "multipart-as-text": {"declared": "text/plain", "wrap": "multipart"},
        "mhtml": {"declared": "multipart/related; boundary=b", "wrap": "multipart"},
        "chunked": {"chunked": True},
        "chunked-lie": {"declared": "text/html", "chunked": True},
        "range": {"status": 206, "media_head": (("Content-Range", "bytes 0-4095/4096"),)},
        "range-lie": {"status": 206, "declared": "text/html", "media_head": (("Content-Range", "bytes 0-4095/4096"),)},
        "attachment": {"declared": "text/html", "media_head": (("Content-Disposition", "Attachment; filename=x.png"),)},
        "coded-gzip": {"declared": "text/html", "wrap": "gzip", "media_head": (("Content-Encoding", "gzip"),)},
        "coded-zstd": {"declared": "text/html", "wrap": "zstd", "media_head": (("Content-Encoding", "zstd"),)},
        "coded-br": {"declared": "text/html", "wrap": "br", "media_head": (("Content-Encoding", "br"),)},
        "coded-late": {"declared": "text/html", "wrap": "late-gzip", "media_head": (("Content-Encoding", "gzip"),)},
        "coded-twice": {"declared": "text/html", "wrap": "gzip", "media_head": (("Content-Encoding", "gzip, gzip"),)},
        "status-404": {"status": 404},
        "status-404-lie": {"status": 404, "declared": "text/html"},
        "status-500": {"status": 500, "declared": "text/html"},
        "status-204": {"status": 204},
        "status-304": {"status": 304},
        "status-302-body": {"status": 302, "declared": "text/html", "media_head": (("Location", "/end"),)},
        "status-300-body": {"status": 300},
        "status-403": {"status": 403, "declared": "text/html"},
        "json-base64": {"declared": "application/json", "wrap": "json"},
        "graphql": {"declared": "application/json", "wrap": "graphql"},
        "ndjson": {"declared": "application/x-ndjson", "wrap": "ndjson"},
        "jsonp": {"declared": "text/plain", "wrap": "jsonp"},
        "csv-base64": {"declared": "text/csv", "wrap": "csv"},
        "xml-base64": {"declared": "application/xml", "wrap": "xml"},
        "xml-svg": {"declared": "application/xml", "wrap": "svg"},
        "xhtml-svg": {"declared": "application/xhtml+xml", "wrap": "svg"},
        "rss-enclosure": {"declared": "application/rss+xml", "wrap": "rss"},
        "source-map": {"declared": "application/json", "wrap": "source-map"},
        "plain-base64": {"declared": "text/plain", "wrap": "plain"},
        "utf16-base64": {"declared": "text/html; charset=utf-16le", "wrap": "utf16"},
    }
    for name, values in odd.items():
        expects = INLINE if values.get("wrap") in _TEXT_WRAPS else CUT
        found.append(Vector(f"answer-{name}", expects, link, **values))  # type: ignore[arg-type]
    found += [
        Vector(f"hop-{status}", CUT, f'<a href="/hop/{status}/hop-{status}">A link</a>')
        for status in (301, 302, 303, 307, 308)
    ]
    found.append(Vector("hop-twice", CUT, '<a href="/hop/302/hop/302/hop-twice">A link</a>'))
    found.append(Vector("hop-script", CUT, '<script src="/hop/302/hop-script"></script>'))
    found.append(Vector("hop-fetch", CUT, '<script>fetch("/hop/307/hop-fetch").then((r) => r.text()).then((t) => '
                        "document.body.append(t)).catch(() => 0);</script>"))  # fmt: skip
    found.append(Vector("hop-img", NEVER, '<img src="/hop/302/hop-img" alt="">'))
    found.append(Vector("hop-frame", CUT, '<iframe src="/hop/302/hop-frame"></iframe>'))
    found.append(Vector("hop-lie", CUT, '<a href="/hop/302/hop-lie">A link</a>', declared="text/html"))
    found.append(Vector("refresh-meta", CUT, '<meta http-equiv="refresh" content="0; url={m}">'))
    found.append(Vector("refresh-header", CUT, "<p>A moment.</p>", head=(("Refresh", "0; url={m}"),)))
    found.append(Vector("header-link-preload", NEVER, head=(("Link", "<{m}>; rel=preload; as=image"),)))
    found.append(Vector("header-link-prefetch", NEVER, head=(("Link", "<{m}>; rel=prefetch"),)))
    found.append(Vector("header-link-stylesheet", NEVER, head=(("Link", "<{m}>; rel=stylesheet"),)))
    found.append(Vector("header-link-icon", NEVER, head=(("Link", "<{m}>; rel=icon"),)))
    found.append(
        Vector(
            "header-early-hints",
            NEVER,
            before=b"HTTP/1.1 103 Early Hints\r\nLink: <{m}>; rel=preload; as=image\r\n\r\n",
        )
    )
    found.append(Vector("header-data", INLINE, head=(("X-Picture", "{data}"),)))
    found.append(Vector("header-cookie", INLINE, head=(("Set-Cookie", "picture={base64}; Path=/"),)))
    found.append(Vector("frame-image", CUT, '<iframe src="{m}"></iframe>'))
    found.append(Vector("frame-pdf", CUT, '<iframe src="{m}"></iframe>', kind="pdf"))
    found.append(Vector("frame-video-lie", CUT, '<iframe src="{m}"></iframe>', kind="mp4", declared="text/html"))
    found.append(Vector("frameset", CUT, '<frameset cols="*"><frame src="{m}"></frameset>'))
    found.append(Vector("link-next", CUT, '<link rel="next" href="{m}">'))
    found.append(Vector("area", CUT, '<map name="m"><area href="{m}" alt="A part"></map>'))
    found.append(Vector("base-href", CUT, '<base href="/m/"><a href="base-href">A link</a>'))
    return found


_TEXT_WRAPS = frozenset(
    ("json", "graphql", "ndjson", "jsonp", "csv", "xml", "svg", "rss", "source-map", "plain", "utf16")
)


@dataclass
class Web:
    """The vectors as a web: a page a vector, spread over *hosts*; ``site`` is what a ``Server`` serves."""

    vectors: list[Vector] = field(default_factory=lambda: _tags() + _scripts() + _inline() + _links())
    token: str = field(default_factory=lambda: secrets.token_hex(6))
    hosts: tuple[str, ...] = ()
    origins: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [vector.name for vector in self.vectors]
        assert len(names) == len(set(names)), "each vector has a name of its own"
        self._by_name = {vector.name: vector for vector in self.vectors}

    @property
    def prefix(self) -> bytes:
        """What every mark begins with."""
        return f"CANARY-{self.token}-".encode()

    def mark(self, name: str) -> bytes:
        """The bytes by which a vector's media are known. The name is hashed, so that no address holds it."""
        return self.prefix + hashlib.sha256(name.encode()).hexdigest()[:12].encode() + b"-END"

    def marks(self) -> dict[str, bytes]:
        return {vector.name: self.mark(vector.name) for vector in self.vectors}

    def share(self, host: str) -> list[Vector]:
        """The vectors whose pages stand on *host*."""
        number = self.hosts.index(host)
        return self.vectors[number :: len(self.hosts)]

    def site(self, asked: Asked) -> Answer | Wild | None:
        """The answer to one request."""
        path = asked.path
        if path == "/":
            links = "".join(
                f'<p><a href="/v/{vector.name}">Page {vector.name}</a></p>' for vector in self.share(asked.host)
            )
            return Answer(f"<!doctype html><title>Vectors</title><h1>Vectors</h1>{links}".encode())
        if path == "/end":
            return Answer(b"<!doctype html><title>End</title><p>The end of a redirect.</p>")
        if path.startswith("/hop/"):
            status, _, rest = path[5:].partition("/")
            target = f"/{rest}" if rest.startswith("hop/") else f"/m/{rest}"
            return Answer(b"", status=int(status), headers=(("Location", target),))
        if path == "/favicon.ico":
            return Answer(self.media("favicon"), "image/x-icon", media="favicon")
        name = path[3:]
        if path.startswith("/v/") and name in self._by_name:
            return self._page(self._by_name[name], asked.host)
        if path.startswith("/m/"):
            bare = name.replace("%2e", ".").partition(".")[0]
            if bare in self._by_name:
                return self._media_answer(self._by_name[bare])
        return None

    def _page(self, vector: Vector, host: str) -> Answer:
        values = self._values(vector, host)
        body = vector.page.format(**values) if vector.page else "<p>Nothing here asks for anything.</p>"
        html = (
            f"<!doctype html><html lang=en><head><title>Page {vector.name}</title></head><body><h1>A page</h1>"
            f"<p>Words that stay for {vector.name}.</p>{body}</body></html>"
        )
        if vector.page.startswith("<frameset"):
            html = f"<!doctype html><html lang=en><head><title>Page {vector.name}</title></head>{body}</html>"
        headers = tuple((name, value.format(**values)) for name, value in vector.head)
        before = vector.before.decode().format(**values).encode()
        return Answer(html.encode(), headers=headers, before=before)

    def _media_answer(self, vector: Vector) -> Answer:
        declared = {"": KINDS[vector.kind][0], "-": ""}.get(vector.declared, vector.declared)
        body = _wrapped(vector.wrap, self, vector)
        counted = "" if vector.wrap in _TEXT_WRAPS else vector.name
        return Answer(body, declared, vector.status, vector.media_head, counted, vector.chunked)

    def media(self, name: str, kind: str = "png", size: int = 40_000) -> bytes:
        """Bytes that begin like *kind*, hold the vector's mark, and go on as noise."""
        mark = self.mark(name)
        if kind == "svg":
            return b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0 ' + mark * 200 + b'"/></svg>'
        if kind == "zip":
            return _zip(mark, noise(name, size))
        if kind == "gz":
            return gzip.compress(mark + noise(name, size), mtime=0)
        if kind == "tar":
            return _tar(mark + noise(name, size))
        return KINDS[kind][1] + mark + noise(name, size)

    def _values(self, vector: Vector, host: str) -> dict[str, str]:
        small = self.media(vector.name, size=300)
        packed = base64.b64encode(small).decode()
        mark = self.mark(vector.name).decode()
        data = f"data:image/png;base64,{packed}"
        return {
            "m": f"{self.origins[host]}/m/{vector.name}",
            "host": self.origins[host].partition("://")[2],
            "mark": mark,
            "reversed": mark[::-1],
            "data": data,
            "data_upper": data.replace("data:", "DATA:").replace(";base64", ";BASE64"),
            "data_percent": "data:image/png," + quote_from_bytes(small),
            "data_entity": data.replace("data:", "&#100;ata&colon;", 1),
            "data_spaced": "data:image/png;base64, " + packed,
            "data_css": data.replace("data:", "\\64 ata\\3a ", 1),
            "data_js": data.replace("data:", "\\x64ata\\u003a", 1),
            "data_slashes": data.replace("/", "\\/"),
            "base64": packed,
            "base64_url": base64.urlsafe_b64encode(small).decode(),
            "base64_lines": "\n".join(packed[at : at + 76] for at in range(0, len(packed), 76)),
            "base64_slashes": packed.replace("/", "\\/"),
            "base64_percent": packed.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
            "base64_joined": " + ".join(f'"{packed[at : at + 100]}"' for at in range(0, len(packed), 100)),
            "base64_spaced": " ".join(packed[at : at + 76] for at in range(0, len(packed), 76)),
            "hex": small.hex(),
            "hex_upper": small.hex().upper(),
            "hex_escaped": "".join(f"\\x{byte:02x}" for byte in small),
            "u_escaped": "".join(f"\\u{byte:04x}" for byte in small),
            "byte_list": ", ".join(map(str, small)),
            "byte_list_hex": ", ".join(map(hex, small)),
        }


def noise(seed: str, size: int) -> bytes:
    """*size* bytes that look random and are the same each time."""
    return hashlib.shake_256(seed.encode()).digest(size)


def _zip(mark: bytes, rest: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", mark * 4 + rest)
    return packed.getvalue()


def _tar(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        item = tarfile.TarInfo("a.bin")
        item.size = len(content)
        archive.addfile(item, io.BytesIO(content))
    return packed.getvalue()


def _wrapped(wrap: str, web: Web, vector: Vector) -> bytes:
    import brotli
    import zstandard

    media = web.media(vector.name, vector.kind)
    packed = base64.b64encode(web.media(vector.name, size=3000)).decode()
    late = b"<!doctype html><title>Late</title><p>" + b"Words before the turn. " * 80 + b"</p>"
    match wrap:
        case "space":
            return b" \r\n\t" + media
        case "bom":
            return b"\xef\xbb\xbf" + media
        case "late":
            return late + media
        case "late-gzip":
            return gzip.compress(late + media, mtime=0)
        case "polyglot":
            return b"GIF89a/*<!doctype html><title>Both</title><p>Words</p>*/=0;" + media
        case "multipart":
            return b"--b\r\nContent-Type: image/png\r\n\r\n" + media + b"\r\n--b--\r\n"
        case "gzip":
            return gzip.compress(media, mtime=0)
        case "zstd":
            return zstandard.ZstdCompressor().compress(media)
        case "br":
            return bytes(brotli.compress(media, quality=1))
        case "json":
            return f'{{"name": "Offer", "image": "{packed}"}}'.encode()
        case "graphql":
            return f'{{"data": {{"product": {{"title": "Offer", "media": [{{"preview": "{packed}"}}]}}}}}}'.encode()
        case "ndjson":
            return f'{{"n": 1}}\n{{"n": 2, "image": "{packed}"}}\n'.encode()
        case "jsonp":
            return f'callback({{"image": "{packed}"}});'.encode()
        case "csv":
            return f"name,picture\noffer,{packed}\n".encode()
        case "xml":
            return f'<?xml version="1.0"?><offer><picture>{packed}</picture></offer>'.encode()
        case "svg":
            return b"<?xml version='1.0'?>" + web.media(vector.name, "svg")
        case "rss":
            return (
                f'<rss><channel><item><enclosure url="data:image/png;base64,{packed}"/></item></channel></rss>'.encode()
            )
        case "source-map":
            return f'{{"version": 3, "sources": ["a.js"], "sourcesContent": ["const a = \'{packed}\'"]}}'.encode()
        case "plain":
            return packed.encode()
        case "utf16":
            return f"<p>Words</p><img src='data:image/png;base64,{packed}'>".encode("utf-16-le")
    return media


__all__ = ["CUT", "INLINE", "NEVER", "Site", "Vector", "Web"]
