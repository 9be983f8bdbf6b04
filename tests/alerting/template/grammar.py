"""Makes templates by chance, the same for the same seed, that a Go program and ours can both render."""

from __future__ import annotations

from random import Random

TEXTS = ["a", "x y", "Ünïcode é", "<b>", "a.b:c", "1234", "0.5", "it's", "", "foo-bar_baz", "&amp;", "line\\nbreak"]
PATTERNS = ["a", "[a-z]+", "(.)(.)", "(a|ab)(c|b)?", "x*", "^.", ".$", "\\\\d+", "(?i)FOO", "[^a-f]+", "(a+)+b?", "é|n"]
REPLACEMENTS = ["-", "$1", "<$0>", "${1}x", "$$", ""]
FORMATS_FOR = {
    "int": [
        "%d",
        "%5d",
        "%-4d|",
        "%05d",
        "%x",
        "%X",
        "%o",
        "%b",
        "%c",
        "%q",
        "%U",
        "%+d",
        "% d",
        "%v",
        "%T",
        "%s",
        "%.3d",
    ],
    "float": ["%f", "%.2f", "%8.3f", "%e", "%g", "%.3g", "%v", "%T", "%d", "%+.1f", "%06.1f", "%G", "%6.0f"],
    "string": ["%s", "%q", "%8s", "%-8s|", "%.3s", "%x", "%X", "%v", "%T", "%d", "% x", "%5.2s", "%+q"],
    "bool": ["%t", "%v", "%T", "%d", "%6t"],
}


class Grammar:
    """Makes templates.

    Args:
        maps: expressions that are maps of texts.
        floats: expressions that are numbers.
        strings: functions from a text to a text.
    """

    def __init__(self, seed: int, *, maps: list[str], floats: list[str], strings: list[str]) -> None:
        self.random = Random(seed)
        self._maps = maps
        self._floats = floats
        self._strings = strings
        self._variables = 0

    def template(self, depth: int = 2) -> str:
        """Return a template of some parts."""
        return "".join(self._part(depth) for _ in range(self.random.randint(1, 3)))

    def _pick(self, items: list[str]) -> str:
        return self.random.choice(items)

    def _part(self, depth: int) -> str:
        kinds = ["text", "action", "action", "action", "trimmed"]
        kinds += ["if", "with", "range", "variable"] if depth else []
        kind = self._pick(kinds)
        if kind == "text":
            return self._pick(["plain ", " | ", "\n", "x", "}} "])
        if kind == "action":
            return "{{ " + self._any(depth) + " }}"
        if kind == "trimmed":
            return " {{- " + self._any(depth) + " -}} "
        if kind == "if":
            branch = self._pick(
                ["{{ else }}" + self.template(depth - 1), f"{{{{ else if {self._bool(depth - 1)} }}}}z", ""]
            )
            return f"{{{{ if {self._any(depth - 1)} }}}}{self.template(depth - 1)}{branch}{{{{ end }}}}"
        if kind == "with":
            return f"{{{{ with {self._string(depth - 1)} }}}}{{{{ . }}}}{{{{ len . }}}}{{{{ else }}}}none{{{{ end }}}}"
        if kind == "variable":
            self._variables += 1
            name = f"$v{self._variables}"
            again = f"{{{{ {name} = print {name} {self._int()} }}}}"
            return f"{{{{ {name} := {self._string(depth - 1)} }}}}{again}{{{{ {name} }}}}"
        return self._range()

    def _range(self) -> str:
        stop = self._pick(["", '{{ if eq $k "b" }}{{ break }}{{ end }}', '{{ if eq $v "" }}{{ continue }}{{ end }}'])
        shown = "{{ $k }}={{ . }}{{ $v | len }};"
        return f"{{{{ range $k, $v := {self._pick(self._maps)} }}}}{stop}{shown}{{{{ end }}}}"

    def _any(self, depth: int) -> str:
        return self._pick([self._string(depth), self._string(depth), self._int(), self._float(), self._bool(depth)])

    def _string(self, depth: int) -> str:
        text = f'"{self._pick(TEXTS)}"'
        if not depth:
            return text
        inner = self._string(depth - 1)
        bracket = f"({inner})"
        kind = self.random.randrange(11)
        if kind == 0:
            return f"{self._pick(self._maps)}.{self._pick(['alertname', 'b', 'nothing'])}"
        if kind == 1:
            return f"{bracket} | {self._pick(self._strings)}"
        if kind == 2:
            return f"{self._pick(self._strings)} {bracket}"
        if kind == 3:
            return f'reReplaceAll "{self._pick(PATTERNS)}" "{self._pick(REPLACEMENTS)}" {bracket}'
        if kind == 4:
            return self._printf(depth, bracket)
        if kind == 5:
            return f"print {self._int()} {bracket} {self._float()} {self._int()} {self._int()}"
        if kind == 6:
            return f"{self._pick(['html', 'js', 'urlquery'])} {bracket}"
        if kind == 7:
            return f'index {self._pick(self._maps)} "{self._pick(["alertname", "b", "nothing"])}"'
        if kind == 8:
            return f"slice (print {bracket} `abc`) {self.random.randint(0, 3)}" if "Ü" not in inner else text
        if kind == 9:
            return f"or {bracket} {text}"
        return f"println {bracket} {self._int()}"

    def _printf(self, depth: int, text: str) -> str:
        kind = self._pick(list(FORMATS_FOR))
        values = {"int": self._int(), "float": self._float(), "string": text, "bool": f"({self._bool(depth - 1)})"}
        form = self._pick(FORMATS_FOR[kind])
        if self.random.randrange(8) == 0:
            return f'printf "{form} %[1]v %s %d" {values[kind]} {text}'
        return f'printf "<{form}>" {values[kind]}'

    def _int(self) -> str:
        return self._pick(
            ["0", "7", "-3", "255", "0x1f", "1_000", "'é'", '(len "abc")', f"(len {self._pick(self._maps)})"]
        )

    def _float(self) -> str:
        return self._pick([*self._floats, "0.5", "-2.25", "1e6", "123456.789", "1e-7", "3.0", "1e21", "100000.0"])

    def _bool(self, depth: int) -> str:
        text = self._string(max(0, depth - 1))
        return self._pick(
            [
                "true",
                f"not {self._int()}",
                f"eq ({text}) `a` `x y` ``",
                f"{self._pick(['lt', 'le', 'gt', 'ge', 'ne', 'eq'])} {self._int()} {self._int()}",
                f"{self._pick(['lt', 'le', 'gt', 'ge', 'ne', 'eq'])} {self._float()} {self._float()}",
                f"and (not {self._int()}) (eq ({text}) `a`)",
                f'match "{self._pick(PATTERNS)}" ({text})',
            ]
        )
