"""What notifications say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alerting.alert import Alert, AlertState, Severity
from alerting.notify.notice import IncidentNote, Links, Notice
from alerting.template.error import TemplateError
from alerting.template.escape import escape_markdown, escape_slack
from alerting.template.notification import Templates, notification_data
from tests.alerting.template.data import DATA, HOSTILE

TEMPLATES = Templates()
NAMES = ["__subject", "__alertmanager", "__alertmanagerURL", "slack.default.title", "slack.default.text",
         "slack.default.titlelink", "slack.default.fallback", "slack.default.username", "email.default.subject",
         "email.default.html", "pagerduty.default.description", "pagerduty.default.client",
         "pagerduty.default.clientURL",
         "opsgenie.default.message", "opsgenie.default.description", "opsgenie.default.source",
         "telegram.default.message", "discord.default.title", "discord.default.message", "msteams.default.title",
         "msteams.default.text", "msteams.default.summary", "msteamsv2.default.title", "msteamsv2.default.text",
         "webex.default.message", "sns.default.subject", "pushover.default.message"]  # fmt: skip


def alert(number: int, **changes: object) -> Alert:
    plain = Alert(
        id=str(number), name="DiskFull", labels={"alertname": "DiskFull", "instance": f"web-{number}"},
        annotations={"summary": f"Disk {number} is full", "runbook_url": "https://wiki/disk"}, state=AlertState.FIRING,
        severity=Severity.HIGH, active_since=1767323000.0, fired_at=1767323045.678, resolved_at=None, value=93.25,
        rule="g/DiskFull", expr="disk_used_percent > 90",
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def notice(count: int = 2, **changes: object) -> Notice:
    plain = Notice(
        receiver="team", group_key="{}:{}", group_labels={"alertname": "DiskFull"},
        alerts=[alert(number) for number in range(count)], status="firing", external_url="http://watch",
        now=1767323145.678, why="first",
        links=Links("http://watch/#a", "http://watch/#incident/7", "http://watch/ack?a=1&b=2", "http://watch/#silence"),
        incident=IncidentNote(7, "Disks are full", Severity.CRITICAL), suspects=("auth 1.4.2, deployed 40 s before",),
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_each_documented_name_has_a_text(name: str) -> None:
    data = notification_data(notice())
    assert TEMPLATES.text(f'{{{{ template "{name}" . }}}}', data)


def test_a_text_says_what_where_since_when_how_much_why_and_where_to_go() -> None:
    text = TEMPLATES.text('{{ template "telegram.default.message" . }}', notification_data(notice()))
    assert text == (
        "[FIRING:2] DiskFull \n"
        "Incident 7 (critical): Disks are full\n"
        "- Disk 0 is full\n  instance=web-0\n  since Jan 2 03:04 UTC, value 93.25 (disk_used_percent > 90)\n"
        "  runbook: https://wiki/disk\n"
        "- Disk 1 is full\n  instance=web-1\n  since Jan 2 03:04 UTC, value 93.25 (disk_used_percent > 90)\n"
        "  runbook: https://wiki/disk\n"
        "Perhaps because of:\n- auth 1.4.2, deployed 40 s before\n"
        "Incident: http://watch/#incident/7\nConsole: http://watch/#a\n"
        "Acknowledge: http://watch/ack?a=1&b=2\nSilence: http://watch/#silence\n"
    )


def test_a_text_of_many_alerts_shows_ten_and_counts_the_rest() -> None:
    text = TEMPLATES.text('{{ template "slack.default.text" . }}', notification_data(notice(25, truncated=3)))
    assert text.count("is full\n") == 10
    assert "and 15 more\n3 alerts are left out\n" in text


def test_a_resolved_alert_says_when_it_ended() -> None:
    ended = [alert(0, state=AlertState.RESOLVED, resolved_at=1767323945.0)]
    data = notification_data(notice(alerts=ended, status="resolved"))
    assert TEMPLATES.text('{{ template "__subject" . }}', data) == "[RESOLVED] DiskFull (web-0)"
    assert "since Jan 2 03:04 UTC, until 03:19" in TEMPLATES.text('{{ template "msteams.default.text" . }}', data)


def test_a_notice_becomes_alertmanagers_data_and_ours() -> None:
    data = notification_data(notice())
    text = (
        "{{ .Receiver }} {{ .Status }} {{ len .Alerts.Firing }} {{ .CommonLabels }} {{ .CommonAnnotations }}"
        " {{ .Severity }} {{ .Why }}"
        " {{ .Incident.ID }} {{ .TruncatedAlerts }} {{ (index .Alerts 0).Fingerprint }} {{ .ExternalURL }}"
        " {{ since (index .Alerts 0).StartsAt }} {{ (index .Alerts 1).GeneratorURL }}"
        " {{ (index .Alerts 0).EndsAt.IsZero }}"
    )
    assert TEMPLATES.text(text, data) == (
        "team firing 2 map[alertname:DiskFull] map[runbook_url:https://wiki/disk] high first 7 0 d9e7292dd39f5e60"
        " http://watch 1m40s http://watch/#alert/1 true"
    )


def test_the_page_of_an_email_escapes_what_alerts_say() -> None:
    page = TEMPLATES.html('{{ template "email.default.html" . }}', replace(DATA, suspects=("<b>", "x")))
    assert HOSTILE not in page and "&lt;b&gt;&#34;q&#39;&amp;&#43;`{{ .Receiver }}" in page
    assert "javascript:" not in page


def test_the_users_files_win_over_ours_and_over_each_other(tmp_path: Path) -> None:
    first, second = tmp_path / "a.tmpl", tmp_path / "b.tmpl"
    first.write_text('{{ define "__subject" }}one{{ end }}{{ define "own" }}own {{ template "__subject" . }}{{ end }}')
    second.write_text('{{ define "__subject" }}two{{ end }}')
    templates = Templates([first, second])
    assert templates.text('{{ template "own" . }} {{ template "slack.default.title" . }}', DATA) == "own two two"
    assert "own" in templates.names


def test_mistakes_name_file_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "a.tmpl"
    file.write_text('{{ define "x" }}\n  {{ .Foo }}{{ end }}')
    templates = Templates([file])
    with pytest.raises(TemplateError, match=rf"{file}:2:6: a template.Data has no field 'Foo'; known are Receiver"):
        templates.text('{{ template "x" . }}', DATA)
    file.write_text("a\n{{ nope }}")
    with pytest.raises(TemplateError, match=rf"{file}:2:4: function 'nope' is not known"):
        Templates([file])
    with pytest.raises(TemplateError, match=r"none\.tmpl: cannot be read: no such file"):
        Templates([tmp_path / "none.tmpl"])
    file.write_bytes(b"\xff")
    with pytest.raises(TemplateError, match="UTF-8"):
        Templates([file])


def test_a_template_that_is_not_defined_is_found_before_it_is_needed() -> None:
    TEMPLATES.check(
        '{{ template "slack.default.text" . }}{{ if .Foo }}{{ template "own" }}{{ end }}{{ define "own" }}{{ end }}'
    )
    with pytest.raises(TemplateError, match="1:20: template 'nope' is not defined; known are __after"):
        TEMPLATES.check('{{ if .Status }}{{ template "nope" . }}{{ end }}')


def test_texts_for_media_with_marks_are_escaped_and_their_own_marks_stay() -> None:
    data = replace(DATA, receiver="<!channel> *b* https://x/a_b")
    assert TEMPLATES.text("*{{ .Receiver }}*", data, escape_slack) == "*&lt;!channel&gt; *b* https://x/a_b*"
    assert TEMPLATES.text("**{{ .Receiver }}**", data, escape_markdown) == r"**\<!channel\> \*b\* https://x/a_b**"


def test_our_default_texts_are_right() -> None:
    for name in TEMPLATES.names:
        TEMPLATES.check(f'{{{{ template "{name}" . }}}}')
