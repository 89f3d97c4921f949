/** The style sheet of the report. Paper is always light. */
export const REPORT_STYLE = `
:root{--paper:#fff;--ink:#1d2126;--quiet:#646d77;--rule:#e2e5e8;--tint:#f4f6f7;--accent:#2b6c94;
--c0:#1f6fa8;--c1:#c4561b;--c2:#2a8558;--c3:#8a4b9e;--c4:#a37c00;--c5:#c03a68;--c6:#2f8f97;--c7:#5d6872}
@media screen and (prefers-color-scheme:dark){:root{--paper:#15181b;--ink:#e4e7ea;--quiet:#98a2ac;--rule:#2c3238;
--tint:#1d2226;--accent:#7db4d6;--c0:#6fb3e0;--c1:#ef9160;--c2:#6cc596;--c3:#c79bd8;--c4:#d9b84a;--c5:#ee86aa;--c6:#6fcad1;
--c7:#a5b0ba}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1100px;margin:0 auto;padding:56px 28px 96px}
h1{font-size:34px;line-height:1.2;font-weight:640;letter-spacing:-.015em;margin:0}
h2{font-size:23px;line-height:1.3;font-weight:640;letter-spacing:-.01em;margin:72px 0 12px}
h3{font-size:16px;font-weight:640;margin:36px 0 8px}
p{max-width:70ch;margin:0 0 16px}
.lead{font-size:18px;color:var(--quiet);margin:12px 0 28px}
.note,.quiet{color:var(--quiet)}
.note{font-size:13px}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.86em}
pre{background:var(--tint);border-radius:6px;padding:14px 16px;margin:0 0 16px;white-space:pre-wrap;overflow-wrap:anywhere}
pre code{font-size:13px}
.facts{display:flex;flex-wrap:wrap;gap:14px 40px;margin:0 0 16px}
dt{font-size:13px;color:var(--quiet)}
dd{margin:0;font-variant-numeric:tabular-nums}
.badge{font-size:12px;border:1px solid currentColor;border-radius:4px;padding:0 6px;color:var(--c1)}
.headline{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:28px;margin:36px 0 0;padding:26px 0;
border-top:1px solid var(--rule);border-bottom:1px solid var(--rule)}
.headline .name,.headline .note{display:block;font-size:13px;color:var(--quiet)}
.headline b{display:block;font-size:34px;line-height:1.25;font-weight:600;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
nav{display:flex;flex-wrap:wrap;gap:4px 24px;padding:14px 0;font-size:14px}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:28px 40px}
figure{margin:0;min-width:0}
.chart{max-width:640px}
.chart svg{display:block;width:100%}
.chart text{font-size:11.5px;fill:var(--quiet);font-variant-numeric:tabular-nums}
.chart figcaption{font-size:14px;margin-bottom:4px;color:var(--quiet)}
figcaption b{font-weight:600;color:var(--ink)}
.grid{stroke:var(--rule);fill:none}.axis{stroke:var(--quiet);fill:none}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.band{opacity:.16;stroke:none!important}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1);stroke-dasharray:7 3}.c2{stroke:var(--c2);stroke-dasharray:2 3}
.c3{stroke:var(--c3);stroke-dasharray:9 3 2 3}.c4{stroke:var(--c4);stroke-dasharray:4 2}
.c5{stroke:var(--c5);stroke-dasharray:12 4}.c6{stroke:var(--c6);stroke-dasharray:6 2 2 2 2 2}
.c7{stroke:var(--c7);stroke-dasharray:1 3}
.band.c0,.dot.c0{fill:var(--c0)}.band.c1,.dot.c1{fill:var(--c1)}.band.c2,.dot.c2{fill:var(--c2)}
.band.c3,.dot.c3{fill:var(--c3)}.band.c4,.dot.c4{fill:var(--c4)}.band.c5,.dot.c5{fill:var(--c5)}
.band.c6,.dot.c6{fill:var(--c6)}.band.c7,.dot.c7{fill:var(--c7)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 20px;margin:0 0 16px;padding:0;font-size:13px}
.legend svg{display:inline-block;width:22px;height:8px;margin-right:7px;vertical-align:1px}
.chart .legend{margin:6px 0 4px 0}
.chart .note{margin:0}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;width:100%}
th,td{text-align:left;font-weight:400;padding:6px 12px 6px 0;border-bottom:1px solid var(--rule);vertical-align:baseline}
thead th,tfoot th{color:var(--quiet);font-size:13px}
tfoot td{font-weight:640}
th .note{display:block}
.number{text-align:right;padding-right:0;padding-left:20px;white-space:nowrap}
b{font-weight:640}
.classes{max-width:760px}
.classes tbody th{width:30%;white-space:nowrap}
.track{width:42%}
.rail,.bar{display:block;height:9px;border-radius:1px;min-width:1px}.rail{background:var(--tint)}.bar{background:var(--accent)}
.swatch{display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:8px;vertical-align:-1px;
box-shadow:inset 0 0 0 1px rgb(128 128 128/.5)}
.scroll{overflow-x:auto;margin-bottom:10px}
.scores th[scope=row]{min-width:190px}
.ours th,.ours td{background:var(--tint)}.ours th:first-child{box-shadow:inset 3px 0 var(--accent);padding-left:12px}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr));gap:24px}
.figures.four{grid-template-columns:repeat(auto-fill,minmax(min(220px,100%),1fr))}
.figures .wide{grid-column:1/-1}
.figures img{display:block;width:100%;height:auto;border-radius:2px}
.pixels img{image-rendering:pixelated}
.figures figcaption{font-size:13px;line-height:1.5;color:var(--quiet);margin-top:8px;max-width:70ch}
summary{cursor:pointer;color:var(--accent);font-size:14px;margin-bottom:12px}
.swatch,.rail,.bar,.ours th,.ours td{print-color-adjust:exact;-webkit-print-color-adjust:exact}
@media print{@page{margin:14mm}.headline{grid-template-columns:repeat(4,1fr)}body{font-size:11pt}main{max-width:none;padding:0}nav,details{display:none}h2{margin-top:32px}
h2,h3{break-after:avoid}figure,tr,.headline{break-inside:avoid}.figures{grid-template-columns:repeat(3,1fr)}
.charts{grid-template-columns:1fr 1fr}pre,.badge{border:1px solid var(--rule)}}
`;
