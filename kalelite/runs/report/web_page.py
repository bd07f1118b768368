"""The frame of a page of HTML: its style, its small script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from kalelite.frozen import frozen
from kalelite.picture.card_states import SYMBOLS
from kalelite.picture.svg import STYLE as PICTURE_STYLE
from kalelite.picture.theme import themed
from kalelite.runs.report.markup import Markup, element, shown

_STYLE = (
    themed("""\
*{box-sizing:border-box}
html{color-scheme:light dark;background:$paper;scroll-behavior:smooth}
body.kp{margin:0 auto;max-width:1160px;padding:0 20px 60px;background:$paper;color:$ink;font-size:15px;line-height:1.5}
a{color:$accent}h1{font-size:24px;margin:26px 0 2px;overflow-wrap:anywhere}h2{font-size:18px;margin:0 0 12px}h3{font-size:15px;margin:14px 0 4px}
.soft{color:$soft}p{margin:4px 0}
section{background:$task;border:1px solid $rim;border-radius:12px;padding:18px 20px;margin:18px 0}
nav ul{list-style:none;padding:0;margin:12px 0 0;display:flex;flex-wrap:wrap;gap:6px 18px}
.skip{position:absolute;left:-999px}.skip:focus{left:12px;top:8px;background:$paper;padding:6px 12px;z-index:2}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.scroll{overflow-x:auto}.scroll:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid $accent;outline-offset:2px}
table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:6px 16px 6px 0;border-bottom:1px solid $chip}
tbody tr:last-child>*{border-bottom:0}thead th{color:$soft;font-weight:600;font-size:13px;white-space:nowrap}tbody th{font-weight:600}
tbody td{overflow-wrap:anywhere;min-width:5em}
.state{display:inline-block;white-space:nowrap;border-radius:99px;padding:1px 10px;font-size:13px;font-weight:600;background:$chip;color:$soft}
.state.is-succeeded,.state.is-cached{background:$goodfill;color:$good}
.state.is-failed,.state.is-crashed{background:$badfill;color:$bad}
.state.is-running{background:$busyfill;color:$accent}
.state.is-retrying,.state.is-not-run,.state.is-interrupted,.state.is-cancelled{background:$warnfill;color:$warn}
pre{margin:4px 0;padding:10px 12px;border-radius:8px;background:$frame;overflow:auto;max-height:420px;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;tab-size:4}
details{border-top:1px solid $chip;padding:8px 0}details:target{background:$frame;border-radius:8px;padding:8px 12px}
summary{cursor:pointer;font-weight:600;overflow-wrap:anywhere}details details{margin-left:14px}
.graph{overflow-x:auto}.graph svg{display:block;margin:0 auto}body.kp .graph .paper{fill:none}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:18px;margin-top:14px}
figure{margin:0}figcaption{font-weight:600;font-size:14px}.key{display:flex;flex-wrap:wrap;gap:2px 14px;list-style:none;margin:2px 0;padding:0;font-size:12.5px}
.plot{width:100%;height:auto;display:block}.plot .grid{stroke:$chip;stroke-width:1}.plot text{font-size:11px;fill:$soft}
.plot polyline,.key line{fill:none;stroke-width:1.8;stroke-linejoin:round}.plot circle{stroke:none}
.l0{stroke:$accent}.l1{stroke:$condition}.l2{stroke:$good}.l3{stroke:$loop}.l4{stroke:$bad}.l5{stroke:$soft}
.plot circle.l0{fill:$accent}.plot circle.l1{fill:$condition}.plot circle.l2{fill:$good}.plot circle.l3{fill:$loop}.plot circle.l4{fill:$bad}.plot circle.l5{fill:$soft}
.l1{stroke-dasharray:6 3}.l2{stroke-dasharray:2 3}.l3{stroke-dasharray:8 3 2 3}.l4{stroke-dasharray:4 2}.l5{stroke-dasharray:1 2}
tbody th a{overflow-wrap:normal}button{margin-top:12px;font:inherit;color:inherit;background:$chip;border:1px solid $rim;border-radius:8px;padding:5px 14px;cursor:pointer}
img{max-width:100%;height:auto;background:#fff;border-radius:6px}
mark{background:$warnfill;color:$ink;border-radius:4px;padding:0 4px}ins{color:$good;text-decoration:none}del{color:$bad;text-decoration:none}
""")
    + """\
@media(max-width:560px){tbody td:last-child:not(:nth-child(2)){min-width:15em}body.kp{padding:0 10px 40px}section{padding:14px 12px}h1{font-size:20px}}
@media print{section{break-inside:avoid-page;border:0;padding:0}}
"""
)

_SCRIPT = """\
function reveal(){const at=location.hash.length>1&&document.getElementById(decodeURIComponent(location.hash.slice(1)));
 for(let e=at;e;e=e.parentElement)if(e.tagName==='DETAILS')e.open=true;
 if(at){at.scrollIntoView({block:'nearest'});const s=at.querySelector('summary');if(s)s.focus({preventScroll:true})}}
addEventListener('hashchange',reveal);
document.addEventListener('click',e=>{const a=e.target.closest('a');
 if(a&&(a.getAttribute('href')||'').startsWith('#'))setTimeout(reveal)});
reveal();
async function renew(){
 let text='';try{const got=await fetch(location.href,{cache:'no-store'});if(got.ok)text=await got.text()}catch{}
 if(text){const to=new DOMParser().parseFromString(text,'text/html'),open=new Set([...document.querySelectorAll('details[open]')].map(d=>d.id));
  for(const id of ['head','content']){const old=document.getElementById(id),now=to.getElementById(id);
   if(old.innerHTML!==now.innerHTML){const marked=new Set([...old.querySelectorAll('input:checked')].map(i=>i.value));
    now.querySelectorAll('input').forEach(i=>{i.checked=marked.has(i.value)});
    now.querySelectorAll('details').forEach(d=>{if(d.id&&open.has(d.id))d.open=true});
    const scrolled=new Map([...old.querySelectorAll('pre[id]')].map(p=>[p.id,p.scrollTop]));old.replaceWith(now);
    scrolled.forEach((top,id)=>{const p=document.getElementById(id);if(p)p.scrollTop=top})}}
  if(!to.body.dataset.live)delete document.body.dataset.live}
 if(document.body.dataset.live)setTimeout(renew,1500)}
if(document.body.dataset.live)setTimeout(renew,1500);
"""


@frozen
class Site:
    """Where a page is looked at: in a file, or served while its runs go on.

    ``live`` is whether what it shows still changes, so that it has to be read again; ``home`` the
    address of the list of runs, empty in a file.
    """

    live: bool = False
    home: str = ""


def web_page(title: str, head: Sequence[str], *sections: str, site: Site) -> str:
    """A whole page: what is in its head, and its sections, which are linked to from there."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
        + ("; connect-src 'self'" if site.live else "")
    )
    back = [element("p", element("a", "All runs", href=site.home))] if site.home else []
    content = element("main", *sections, id="content")
    again = '<noscript><meta http-equiv="refresh" content="5"></noscript>\n' if site.live else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
        f"{again}{element('title', title)}\n<style>{PICTURE_STYLE}{_STYLE}</style>\n</head>\n"
        f'<body class="kp"{" data-live=yes" if site.live else ""}>\n'
        f'<a class="skip" href="#content">Skip to the content</a>\n'
        f"{element('header', *back, *head, id='head')}\n{content}\n"
        f"<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def contents(*links: tuple[str, str]) -> Markup:
    """The links to the sections: id and title."""
    items = (element("li", element("a", title, href=f"#{id}")) for id, title in links)
    return element("nav", element("ul", *items), aria_label="On this page")


def state_badge(state: str) -> Markup:
    """A state by symbol, name and colour."""
    symbol = element("span", f"{SYMBOLS.get(state, '·')} ", aria_hidden="true")
    return element("span", shown(symbol, state), class_=f"state is-{state.replace(' ', '-')}")


def message_page(title: str, text: str) -> str:
    """A page that holds a sentence."""
    return web_page(title, [element("h1", title)], element("p", text), site=Site())
