"""From receivers in a config to integrations: what is read, what is refused, what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from alerting.config import AlertingConfig
from alerting.load import load_rules
from alerting.notify.global_config import NotificationDefaults
from alerting.notify.integrations import by_receiver, check, integrations
from core.config import unused, validate
from core.errors import ConfigError
from core.yaml_file import parse_yaml
from daemon.config import GlobalConfig
from tests.alerting.notify.scene import setting

EVERY_KEY = """
receivers:
- name: everything
  discord_configs:
  - {send_resolved: true, webhook_url: 'https://discord.com/api/webhooks/1/x', title: T, message: M, content: C,
     username: U, avatar_url: 'https://a', http_config: {follow_redirects: true}}
  email_configs:
  - {send_resolved: false, to: a@b.c, from: d@e.f, smarthost: 'mail:25', hello: h, auth_username: u, auth_password: p,
     auth_secret: s, auth_identity: i, require_tls: true, tls_config: {insecure_skip_verify: true}, html: H, text: T,
     headers: {subject: S}}
  msteams_configs:
  - {send_resolved: true, webhook_url: 'https://t', title: T, summary: S, text: X, http_config: {}}
  msteamsv2_configs:
  - {send_resolved: true, webhook_url: 'https://t', title: T, text: X, http_config: {}}
  opsgenie_configs:
  - {send_resolved: true, api_key: k, api_url: 'https://o/', message: M, description: D, source: S, details: {a: b},
     responders: [{id: i, type: team}, {name: 'a,b', type: teams}, {username: u, type: User}], tags: 'a,b', note: N,
     priority: P1, update_alerts: true, entity: E, actions: 'a,b', http_config: {}}
  pagerduty_configs:
  - {send_resolved: true, routing_key: k, url: 'https://p', client: C, client_url: 'https://c', description: D,
     severity: critical, source: S, details: {a: b}, images: [{href: 'https://h', src: 'https://s', alt: A}],
     links: [{href: 'https://h', text: T}], component: C, group: G, class: K, http_config: {}}
  - {service_key: k}
  slack_configs:
  - {send_resolved: false, api_url: 'https://s', channel: '#c', icon_emoji: ':a:', icon_url: 'https://i',
     link_names: true, username: U, callback_id: I, color: good, fallback: F, footer: F, mrkdwn_in: [text], pretext: P,
     short_fields: true, text: T, title: T, title_link: 'https://t', image_url: 'https://i', thumb_url: 'https://t',
     fields: [{title: T, value: V, short: false}, {title: T, value: V}],
     actions: [{type: button, text: T, url: 'https://u', style: primary},
               {type: button, text: T, name: n, value: v, confirm: {text: T, title: T, ok_text: O, dismiss_text: D}}],
     http_config: {proxy_url: 'http://proxy:3128'}}
  telegram_configs:
  - {send_resolved: true, api_url: 'https://t', bot_token: t, chat_id: 1, message_thread_id: 2, message: M,
     disable_notifications: true, parse_mode: MarkdownV2, http_config: {}}
  webhook_configs:
  - {send_resolved: true, url: 'http://w', max_alerts: 5, timeout: 0s,
     http_config: {basic_auth: {username: u, password: p}, enable_http2: true,
                   http_headers: {X-A: {values: [v], secrets: [s]}}}}
  apprise_configs:
  - {url: 'json://h', title: T, message: M, timeout: 10s}
"""
GLOBAL = """
resolve_timeout: 5m
http_config: {follow_redirects: true}
smtp_from: a@b.c
smtp_smarthost: mail:587
smtp_hello: h
smtp_auth_username: u
smtp_auth_password: p
smtp_auth_identity: i
smtp_auth_secret: s
smtp_require_tls: true
smtp_tls_config: {insecure_skip_verify: false}
slack_api_url: https://hooks.slack.com/services/x
pagerduty_url: https://events.pagerduty.com/v2/enqueue
opsgenie_api_key: k
opsgenie_api_url: https://api.opsgenie.com/
telegram_api_url: https://api.telegram.org
victorops_api_key: v
victorops_api_url: https://alert.victorops.com/integrations/generic/20131114/alert/
wechat_api_url: https://qyapi.weixin.qq.com/cgi-bin/
wechat_api_secret: w
wechat_api_corp_id: c
webex_api_url: https://webexapis.com/v1/messages
jira_api_url: https://company.atlassian.net/rest/api/2/
"""


def config(text: str) -> AlertingConfig:
    return validate(parse_yaml(text, "w.yml"), AlertingConfig)


def test_every_key_that_alertmanager_documents_is_read() -> None:
    found = integrations(config(EVERY_KEY).receivers, setting())
    assert sorted(name for _, name in found) == [
        "apprise/0", "discord/0", "email/0", "msteams/0", "msteamsv2/0", "opsgenie/0", "pagerduty/0", "pagerduty/1",
        "slack/0", "telegram/0", "webhook/0",
    ]  # fmt: skip
    assert len(by_receiver(config(EVERY_KEY).receivers, found)["everything"]) == 11


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
def test_nothing_is_wrong_with_it() -> None:
    assert check(config(EVERY_KEY).receivers, setting()) == []


def test_global_keys_of_alertmanager_are_read_and_those_of_other_services_noted() -> None:
    document = parse_yaml(GLOBAL, "w.yml")
    section = validate(document, GlobalConfig)
    assert (section.resolve_timeout, section.smtp_smarthost) == (300, "mail:587")
    notes = {problem.path: problem.message for problem in unused(document, section)}
    assert "receivers of that kind are not supported" in notes["victorops_api_key"]
    assert notes["smtp_auth_password"].endswith("name that with 'smtp_auth_password_file'")
    assert "telegram_api_url" not in notes


def test_secrets_in_the_file_are_noted_with_their_line() -> None:
    document = parse_yaml(EVERY_KEY, "w.yml")
    notes = unused(document, validate(document, AlertingConfig))
    shown = {problem.path.split(".", 2)[2]: str(problem) for problem in notes}
    assert {"telegram_configs.0.bot_token", "email_configs.0.auth_password", "opsgenie_configs.0.api_key"} <= set(shown)
    assert shown["pagerduty_configs.1.service_key"].startswith("w.yml:23:6: ")
    assert "move it to a file of its own and name that with 'service_key_file'" in str(notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pushover_configs: []", "receivers.0.pushover_configs: is not supported here; use apprise_configs"),
        ("victorops_configs: [{}]", "is not supported here; use apprise_configs"),
        ("sns_configs: [{}]", "sns://"),
        ("jira_configs: [{}]", "use webhook_configs"),
        ("slack_config: []", "did you mean 'slack_configs'?"),
        ("slack_configs: [{chanel: x}]", "did you mean 'channel'?"),
        ("slack_configs: {channel: x}", "is no list"),
        ("slack_configs: [{api_url: 'hooks.slack.com'}]", "no http:// or https:// address"),
        ("slack_configs: [{api_url: 'https://a', api_url_file: b}]", "has both 'api_url' and 'api_url_file'"),
        ("slack_configs: [{actions: [{type: button, text: a}]}]", "does nothing; give 'url'"),
        ("slack_configs: [{fields: [{title: a}]}]", "receivers.0.slack_configs.0.fields.0.value: is required"),
        ("email_configs: [{}]", "receivers.0.email_configs.0.to: is required"),
        ("pagerduty_configs: [{}]", "has no key; give 'routing_key_file'"),
        ("pagerduty_configs: [{routing_key: [s3cr3t]}]", "is no text; put it in quotes"),
        ("opsgenie_configs: [{responders: [{type: team}]}]", "names nobody"),
        ("opsgenie_configs: [{responders: [{type: gang, name: a}]}]", "no kind of responder"),
        ("telegram_configs: [{bot_token: a}]", "does not say which chat"),
        ("telegram_configs: [{bot_token: a, chat_id: 0}]", "no chat"),
        ("telegram_configs: [{bot_token: a, chat_id: 1, parse_mode: Html}]", "(it is 'Html')"),
        ("discord_configs: [{}]", "give 'webhook_url_file'"),
        ("msteams_configs: [{}]", "give 'webhook_url_file'"),
        ("webhook_configs: [{url: 'http://a', http_config: {oauth2: {}}}]", "is not supported; give a token"),
        (
            "webhook_configs: [{url: 'http://a', http_config: {bearer_token: a, bearer_token_file: b}}]",
            "keep one",
        ),
        ("apprise_configs: [{}]", "give 'url_file'"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(f"receivers:\n- name: a\n  {text}\n")
    assert words in str(caught.value)
    assert "w.yml:" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slack_configs: [{channel: a}]", "w.yml:3:19: receivers.0.slack_configs.0: does not say where to post to"),
        ("opsgenie_configs: [{}]", "has no key; give 'api_key_file' here or 'opsgenie_api_key_file' under 'global'"),
        ("email_configs: [{to: a@b.c}]", "has no mail server"),
        ("email_configs: [{to: a@b.c, smarthost: 'a:25'}]", "has no sender"),
        ("telegram_configs: [{chat_id: 1}]", "has no token"),
        ("telegram_configs: [{chat_id: 1, bot_token_file: gone}]", "telegram_configs.0.bot_token_file: "),
        ("webhook_configs: [{url: 'http://a', http_config: {tls_config: {ca_file: gone}}}]", "cannot use gone"),
        ("fallback_receiver: nobody", "'nobody' is no receiver of this file"),
        ("fallback_receiver: a", "'a' is the receiver itself"),
        ("slack_configs: [{api_url: 'https://a', title: '{{ .Status'}]", "slack_configs.0.title: "),
        ("slack_configs: [{api_url: 'https://a', fields: [{title: a, value: '{{ nope }}'}]}]", "fields.0.value: "),
        ("pagerduty_configs: [{routing_key: '{{ .CommonLabels.key }}'}]", "is a template; a secret is used as it is"),
    ],
)
def test_a_mistake_that_only_its_surroundings_show_is_named(text: str, words: str, tmp_path: Path) -> None:
    document = parse_yaml(f"receivers:\n- name: a\n  {text}\n", "w.yml")
    with pytest.raises(ConfigError) as caught:
        load_rules(validate(document, AlertingConfig), tmp_path, document)
    assert words in str(caught.value)


def test_what_global_says_is_enough(tmp_path: Path) -> None:
    text = "receivers: [{name: a, slack_configs: [{channel: a}], opsgenie_configs: [{}], email_configs: [{to: a@b.c}]}]"
    defaults = NotificationDefaults.model_validate(yaml.safe_load(GLOBAL.replace("5m", "'5m'")))
    assert load_rules(config(text), tmp_path, notification=defaults)


def test_a_file_of_templates_with_a_mistake_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tmpl").write_text('{{ define "x" }}{{ if }}{{ end }}')
    with pytest.raises(ConfigError) as caught:
        load_rules(config("receivers: [{name: a}]\ntemplates: ['*.tmpl']"), tmp_path)
    assert "a.tmpl" in str(caught.value)


def test_templates_of_a_file_are_used(tmp_path: Path) -> None:
    from tests.alerting.notify.scene import notice  # noqa: PLC0415

    (tmp_path / "own.tmpl").write_text('{{ define "own" }}Ours: {{ .CommonLabels.service }}{{ end }}')
    keys: dict[str, Any] = {"api_url": "https://a", "title": '{{ template "own" . }}'}
    section = AlertingConfig.model_validate({"receivers": [{"name": "a", "slack_configs": [keys]}]})
    made = integrations(section.receivers, setting(tmp_path, templates=["*.tmpl"]))
    assert '"title":"Ours: shop"' in made["a", "slack/0"].render(notice())
