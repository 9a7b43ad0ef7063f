//! Axes, areas and lines, as an SVG document written by hand. It has its own colours for dark pages.

use std::fmt::Write as _;

/// The inside of a panel, and what its axes show.
pub(super) struct Panel {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// What the left and the right edge stand for.
    pub(super) across: (f64, f64),
    /// What the lower and the upper edge stand for.
    pub(super) up: (f64, f64),
    /// The axis upwards has the same distance for the same factor.
    pub(super) logarithmic: bool,
}

/// Told apart also by people who do not see all colours (Okabe and Ito), on white and on black.
pub(super) const COLOURS: [&str; 6] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9",
];

/// A document with a title.
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self {
            body: String::new(),
            width,
            height,
        };
        svg.text((width / 2.0, 24.0), "middle", "title", title);
        svg
    }

    pub(super) fn end(self) -> String {
        let Self {
            body,
            width,
            height,
        } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<style>\n\
             .page {{ fill: #ffffff }} text {{ fill: #222222 }} .title {{ font-size: 15px; font-weight: bold }} .small {{ font-size: 11px }}\n\
             .grid {{ stroke: #dddddd }} .axis {{ stroke: #888888 }} .mark {{ stroke: #222222 }}\n\
             @media (prefers-color-scheme: dark) {{ .page {{ fill: #0d1117 }} text {{ fill: #e6edf3 }} .grid {{ stroke: #30363d }} \
             .mark {{ stroke: #e6edf3 }} }}\n</style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n{body}</svg>\n"
        )
    }

    pub(super) fn text(&mut self, at: (f64, f64), anchor: &str, class: &str, content: &str) {
        let content = content.replace('&', "&amp;").replace('<', "&lt;");
        self.add(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{content}</text>",
            at.0, at.1
        ));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), style: &str) {
        self.add(&format!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" {style}/>",
            from.0, from.1, to.0, to.1
        ));
    }

    /// A line through points of a panel.
    pub(super) fn curve(&mut self, panel: &Panel, points: &[(f64, f64)], style: &str) {
        let path = path(points.iter().map(|point| panel.place(*point)));
        self.add(&format!("<path d=\"{path}\" fill=\"none\" {style}/>"));
    }

    /// What lies between two lines.
    pub(super) fn area(
        &mut self,
        panel: &Panel,
        below: &[(f64, f64)],
        above: &[(f64, f64)],
        colour: &str,
    ) {
        let around = above.iter().chain(below.iter().rev());
        let path = path(around.map(|point| panel.place(*point)));
        self.add(&format!(
            "<path d=\"{path}Z\" fill=\"{colour}\" fill-opacity=\"0.85\"/>"
        ));
    }

    pub(super) fn dot(&mut self, panel: &Panel, at: (f64, f64), radius: f64, style: &str) {
        let (x, y) = panel.place(at);
        self.add(&format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" {style}/>"
        ));
    }

    /// A panel's frame: its title, lines at `steps` with their labels, labels below it, and what they are.
    pub(super) fn frame(
        &mut self,
        panel: &Panel,
        title: &str,
        steps: &[(f64, String)],
        below: &[(f64, String)],
        unit: &str,
    ) {
        let (left, right) = (panel.left, panel.left + panel.width);
        let bottom = panel.top + panel.height;
        self.text((left, panel.top - 10.0), "start", "", title);
        for (value, label) in steps {
            let y = panel.place((panel.across.0, *value)).1;
            self.line((left, y), (right, y), "class=\"grid\"");
            self.text((left - 8.0, y + 4.0), "end", "small", label);
        }
        self.line((left, bottom), (right, bottom), "class=\"axis\"");
        for (value, label) in below {
            let x = panel.place((*value, panel.up.0)).0;
            self.line((x, bottom), (x, bottom + 4.0), "class=\"axis\"");
            self.text((x, bottom + 17.0), "middle", "small", label);
        }
        self.text((right, bottom + 34.0), "end", "small", unit);
    }

    /// Names of colours, side by side.
    pub(super) fn legend(&mut self, at: (f64, f64), names: &[(&str, String)]) {
        let (mut x, y) = at;
        for (style, name) in names {
            self.line((x, y - 4.0), (x + 22.0, y - 4.0), style);
            self.text((x + 28.0, y), "start", "small", name);
            x += 44.0 + 6.2 * f64::from(u32::try_from(name.chars().count()).unwrap_or(0));
        }
    }

    fn add(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

impl Panel {
    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let part =
            |value: f64, (from, to): (f64, f64)| ((value - from) / (to - from)).clamp(0.0, 1.0);
        let up = if self.logarithmic {
            let (from, to) = self.up;
            part(y.max(from).ln(), (from.ln(), to.ln()))
        } else {
            part(y, self.up)
        };
        (
            self.left + part(x, self.across) * self.width,
            self.top + (1.0 - up) * self.height,
        )
    }
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let verb = if path.is_empty() { 'M' } else { 'L' };
        // Writing into a string cannot fail.
        if write!(path, "{verb}{x:.1} {y:.1}").is_err() {
            break;
        }
    }
    path
}
