//! The style sheet of both pages.

pub(super) const CSS: &str = r#"
:root{--bg:#f4f5f8;--card:#fff;--ink:#1d2433;--soft:#667085;--line:#e4e7ec;--accent:#4f46e5;--tint:#eef2ff;--warn:#b42318;--good:#067647;--shadow:0 1px 2px rgba(16,24,40,.06),0 1px 3px rgba(16,24,40,.08)}
@media (prefers-color-scheme:dark){:root{--bg:#11141b;--card:#1a1f2b;--ink:#e6e9f0;--soft:#98a2b3;--line:#2b3242;--accent:#a5b4fc;--tint:#232a45;--warn:#fda29b;--good:#75e0a7;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.wrap{max-width:1120px;margin:0 auto;padding:24px 20px 64px}
.top{display:flex;justify-content:space-between;color:var(--soft);font-size:13px;margin-bottom:16px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;box-shadow:var(--shadow);padding:18px 20px;margin-bottom:16px}
.cols{display:grid;grid-template-columns:300px 1fr;gap:20px;align-items:start}
@media (max-width:820px){.cols{grid-template-columns:1fr}}
.who{display:flex;gap:16px;align-items:center}
.face{flex:none;width:56px;height:56px;border-radius:50%;background:var(--accent);color:var(--card);display:flex;align-items:center;justify-content:center;font-size:21px;font-weight:600}
h1{font-size:22px;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:13px;letter-spacing:.04em;text-transform:uppercase;color:var(--soft);margin:0 0 10px}
h3{font-size:16px;margin:0;overflow-wrap:anywhere}
.soft{color:var(--soft);font-size:13px}
.none{color:var(--soft)}
dl{display:grid;grid-template-columns:minmax(90px,auto) 1fr;gap:5px 14px;margin:0;font-size:14px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.pill{display:inline-block;background:var(--tint);color:var(--accent);border-radius:999px;padding:1px 10px;font-size:12px;font-weight:600;margin:0 6px 4px 0}
.line{position:relative;padding-left:26px}
.line:before{content:"";position:absolute;left:6px;top:8px;bottom:0;width:2px;background:var(--line)}
.entry{position:relative}
.entry:before{content:"";position:absolute;left:-26px;top:22px;width:14px;height:14px;border-radius:50%;background:var(--card);border:3px solid var(--accent)}
.entry.session:before{border-color:var(--soft)}
.head{display:flex;justify-content:space-between;gap:12px;align-items:baseline;flex-wrap:wrap}
.entry p{margin:4px 0 12px;white-space:pre-wrap;overflow-wrap:anywhere}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:10px 18px;margin-top:10px;font-size:14px}
.grid div{overflow-wrap:anywhere}.grid span{display:block;color:var(--soft);font-size:12px}
.scroll{overflow-x:auto;margin-top:14px}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{text-align:left;color:var(--soft);font-size:12px;padding-bottom:4px}
th,td{text-align:left;padding:6px 12px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500;font-size:12px}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
code{font:12px/1.4 ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
.events{list-style:none;margin:12px 0 0;padding:0}
.events li{display:grid;grid-template-columns:64px 1fr;gap:12px;padding:7px 0;border-top:1px solid var(--line)}
.events time{color:var(--soft);font-size:13px;font-variant-numeric:tabular-nums}
.meta{color:var(--soft);font-size:13px;overflow-wrap:anywhere}.meta b{font-weight:500;color:var(--ink)}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px;margin-bottom:16px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 16px}
.tile b{display:block;font-size:24px;line-height:1.2;font-variant-numeric:tabular-nums}
.tile.bad b{color:var(--warn)}.tile.ok b{color:var(--good)}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:16px}@media (max-width:820px){.pair{grid-template-columns:1fr}}
form{display:flex;gap:8px;margin-bottom:10px}
input{flex:1;padding:8px 12px;border:1px solid var(--line);border-radius:8px;background:var(--bg);color:var(--ink);font:inherit}
button{padding:8px 16px;border:0;border-radius:8px;background:var(--accent);color:var(--card);font:inherit;font-weight:600}
"#;
