"""A plan as one page of HTML: a picture to move and zoom in, and a table of all steps.

The page loads nothing. Its style and its script stand in it, named by their digests in a
content security policy, so that nothing else on the page could run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from kalelite.errors import Problem
from kalelite.humanize import count
from kalelite.picture.diagram import Diagram, EdgeKind, TaskNode, diagram_of, titles
from kalelite.picture.labels import (
    expression,
    marks,
    option_list,
    parameter_list,
    problem_text,
)
from kalelite.picture.svg import STYLE, drawing, escape
from kalelite.picture.theme import themed
from kalelite.plan.graph import Plan, Task

_STYLE = STYLE + themed("""\
html,body{margin:0;height:100%}
body{display:flex;flex-direction:column;background:$paper;color:$ink}
header{padding:14px 20px 8px}h1{font-size:18px;margin:0 0 2px}p{margin:2px 0;color:$soft}
#view{flex:1 1 62vh;min-height:320px;overflow:hidden;cursor:grab;touch-action:none;border-block:1px solid $rim}
#view:active{cursor:grabbing}#view svg{width:100%;height:100%;display:block}
nav{display:flex;flex-wrap:wrap;gap:8px;align-items:center;padding:8px 20px}
button,input{font:inherit;color:inherit;background:$task;border:1px solid $rim;border-radius:6px;padding:4px 10px}
input{flex:0 1 260px}.key{color:$soft;margin-left:14px;white-space:nowrap}
.table{flex:1 1 30vh;overflow:auto;padding:0 20px 20px}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:5px 12px 5px 0;border-bottom:1px solid $rim}
th{color:$soft;font-weight:600;position:sticky;top:0;background:$paper}
tbody tr{cursor:pointer}tbody tr:hover,tbody tr.on{background:$chip}
tr.bad td:first-child,.problems{color:$bad}.problems{margin:6px 20px;padding-left:22px}.problems li{margin:3px 0}
td{overflow-wrap:break-word}td:last-child{white-space:nowrap}
.kp .task{cursor:pointer}.kp .dim{opacity:.22}.kp .on .card{stroke:$accent;stroke-width:2.4}
.kp .edge.on{stroke:$accent;stroke-width:2.2}
""")

_SCRIPT = """\
const svg=document.querySelector('#view svg'),view=document.getElementById('view');
const whole=svg.viewBox.baseVal,home=[whole.x,whole.y,whole.width,whole.height];
let box=home.slice(),moved=false;
const show=()=>svg.setAttribute('viewBox',box.join(' '));
const scale=()=>Math.max(box[2]/view.clientWidth,box[3]/view.clientHeight);
function start(){const w=view.clientWidth,h=view.clientHeight,s=Math.max(1,Math.min(home[2]/w,1.6));
 box=home[3]/h<=2&&home[2]/w<=2?home.slice():[home[0]+home[2]/2-w*s/2,home[1],w*s,h*s];show()}
function zoom(f,x,y){const r=view.getBoundingClientRect(),s=scale();
 const px=box[0]+box[2]/2+(x-r.left-r.width/2)*s,py=box[1]+box[3]/2+(y-r.top-r.height/2)*s;
 if(f*s<.05||f*s>60)return;
 box=[px+(box[0]-px)*f,py+(box[1]-py)*f,box[2]*f,box[3]*f];show()}
view.addEventListener('wheel',e=>{e.preventDefault();moved=true;zoom(Math.exp(e.deltaY*.0015),e.clientX,e.clientY)},{passive:false});
let held=null;
view.addEventListener('pointerdown',e=>{moved=true;held=[e.clientX,e.clientY,box[0],box[1]]});
addEventListener('pointermove',e=>{if(!held)return;const s=scale();
 box[0]=held[2]-(e.clientX-held[0])*s;box[1]=held[3]-(e.clientY-held[1])*s;show()});
addEventListener('pointerup',()=>{held=null});
const middle=f=>{moved=true;const r=view.getBoundingClientRect();zoom(f,r.left+r.width/2,r.top+r.height/2)};
document.getElementById('in').onclick=()=>middle(.75);
document.getElementById('out').onclick=()=>middle(1.33);
document.getElementById('fit').onclick=()=>{moved=true;box=home.slice();show()};
const tasks=[...svg.querySelectorAll('.task')],rows=[...document.querySelectorAll('tbody tr')];
const edges=[...svg.querySelectorAll('.edge')];
let chosen=null;
function mark(id){tasks.forEach(t=>t.classList.toggle('on',t.dataset.id===id));
 rows.forEach(r=>r.classList.toggle('on',r.dataset.id===id));
 const t=tasks.find(t=>t.dataset.id===id),own=t?[id,t.dataset.parent]:[];
 edges.forEach(e=>e.classList.toggle('on',own.includes(e.dataset.from)||own.includes(e.dataset.to)))}
tasks.forEach(t=>{t.addEventListener('pointerenter',()=>mark(t.dataset.id));
 t.addEventListener('pointerleave',()=>mark(chosen));
 t.addEventListener('click',()=>{chosen=t.dataset.id;mark(chosen);
  rows.find(r=>r.dataset.id===chosen).scrollIntoView({block:'nearest'})})});
rows.forEach(r=>r.addEventListener('click',()=>{chosen=r.dataset.id;mark(chosen);
 const t=tasks.find(t=>t.dataset.id===chosen).getBBox(),m=tasks.find(t=>t.dataset.id===chosen).getCTM(),s=svg.getCTM().inverse().multiply(m);
 const w=view.clientWidth,h=view.clientHeight;box=[s.e+t.width/2-w/2,s.f+t.height/2-h/2,w,h];show()}));
document.getElementById('find').addEventListener('input',e=>{const q=e.target.value.toLowerCase();
 rows.forEach(r=>{const hit=r.textContent.toLowerCase().includes(q);r.hidden=!hit;
  const t=tasks.find(t=>t.dataset.id===r.dataset.id);if(t)t.classList.toggle('dim',!hit)})});
start();
addEventListener('resize',()=>{if(!moved)start()});
"""


def to_html(plan: Plan, problems: Iterable[Problem] = ()) -> str:
    """The plan as one page that loads nothing: the picture to move in, and a table of all steps."""
    diagram = diagram_of(plan, problems)
    picture = drawing(diagram, header=False)
    policy = f"default-src 'none'; style-src '{_digest(_STYLE)}'; script-src '{_digest(_SCRIPT)}'"
    name = escape(plan.name)
    about = plan.description.strip().partition("\n\n")[0], parameter_list(plan, ",  ")
    box = f"0 0 {picture.width:.0f} {picture.height:.0f}"
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            '<meta name="viewport" content="width=device-width,initial-scale=1">\n',
            f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n",
            f'<body class="kp">\n<header><h1>{name}</h1>',
            *(f"<p>{escape(text)}</p>" for text in about if text),
            "</header>\n",
            *_problems(diagram),
            f'<div id="view"><svg role="img" aria-label="pipeline {name}" viewBox="{box}">\n',
            picture.body,
            "</svg></div>\n<nav>",
            '<button id="in" aria-label="larger">+</button>',
            '<button id="out" aria-label="smaller">−</button>',
            '<button id="fit">Whole picture</button>',
            '<input id="find" type="search" placeholder="Find a step" aria-label="Find a step">',
            f"<span>{count(len(plan.tasks), 'step')}</span>",
            *_key(diagram),
            "</nav>\n",
            '<div class="table"><table>\n<thead><tr>',
            *(f"<th>{head}</th>" for head in _HEADS),
            "</tr></thead>\n<tbody>\n",
            *_rows(plan, diagram),
            f"</tbody>\n</table></div>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )


_EDGES: dict[EdgeKind, str] = {
    "data": "a value",
    "condition": "a condition",
    "order": "order only",
    "exit": "at the end",
}


def _key(diagram: Diagram) -> Iterator[str]:
    """What the kinds of lines in the picture mean, if there are several."""
    kinds = [kind for kind in _EDGES if any(edge.kind == kind for edge in diagram.edges)]
    for kind in kinds if len(kinds) > 1 else ():
        line = (
            f'<path class="edge {kind}" d="M0 5H22"/><path class="tip {kind}" d="M28 5l-7-4v8z"/>'
        )
        yield f'<span class="key"><svg width="28" height="10">{line}</svg> {_EDGES[kind]}</span>'


_HEADS = ("Step", "Function", "Takes", "Gives", "Waits for", "Options", "Line")


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _problems(diagram: Diagram) -> Iterable[str]:
    if not diagram.problems:
        return
    yield '<ol class="problems">\n'
    for problem in diagram.problems:
        hint = f"<br>{escape(problem.hint)}" if problem.hint else ""
        yield f"<li>{escape(problem_text(problem))}{hint}</li>\n"
    yield "</ol>\n"


def _rows(plan: Plan, diagram: Diagram) -> Iterator[str]:
    waits: dict[str, list[str]] = {}
    names = titles(diagram)
    tasks = {task.id: task for task in plan.tasks}
    for edge in diagram.edges:
        waits.setdefault(edge.target, []).append(names[edge.source])
    for node in diagram.nodes:
        css = ' class="bad"' if node.problems else ""
        cells = _cells(node, tasks[node.id], waits.get(node.id, []))
        columns = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        yield f'<tr{css} data-id="{escape(node.id)}">{columns}</tr>\n'


def _cells(node: TaskNode, task: Task, waits: list[str]) -> tuple[str, ...]:
    takes = (f"{name} = {expression(value)}" for name, value in task.arguments.items())
    return (
        node.title + marks(node.problems),
        task.step.name,
        ", ".join(takes),
        ", ".join(output.name for output in task.outputs if not output.optional),
        ", ".join(dict.fromkeys(waits)),
        "; ".join(f"{name}: {value}" for name, value in option_list(task.options)),
        f"{PurePath(task.where.file).name}:{task.where.line}" if task.where else "",
    )
