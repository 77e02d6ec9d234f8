"""logrotate's configuration as logrotate.conf(5) says: packages' own rules, inheritance, includes, and any text at all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logintel_agent.doctor.directives import FLAGS, SCRIPTS, VALUES
from logintel_agent.doctor.logrotate import Configuration, read
from logintel_agent.doctor.rule import Owner, Rule
from logintel_agent.doctor.scripts import reopening, unclear
from logintel_agent.doctor.strategy import words

DATA = Path(__file__).parent / "data/logrotate"


@pytest.fixture
def debian(tmp_path: Path) -> Configuration:
    """The host's configuration with the rules of ten packages."""
    main = tmp_path / "logrotate.conf"
    text = (DATA / "logrotate.conf").read_text("utf-8")
    main.write_text(text.replace("/etc/logrotate.d", str(DATA / "logrotate.d")), "utf-8")
    return read([str(main)])


def of(text: str, tmp_path: Path) -> Configuration:
    (tmp_path / "rules").write_text(text, "utf-8")
    return read([str(tmp_path / "rules")])


def rule_of(text: str, tmp_path: Path) -> Rule:
    found = of(text, tmp_path)
    assert found.problems == []
    return found.rules[0]


def test_packages_rules_have_no_problems(debian: Configuration) -> None:
    assert debian.problems == []
    assert len(debian.files) == 11


@pytest.mark.parametrize(
    ("path", "place", "kept", "script"),
    [
        ("/var/log/syslog", "rsyslog:1", 28, "postrotate"),
        ("/var/log/cron.log", "rsyslog:1", 28, "postrotate"),
        ("/var/log/nginx/access.log", "nginx:1", 14, "postrotate"),
        ("/var/log/apache2/error.log", "apache2:1", 14, "postrotate"),
        ("/var/log/mysql/slow.log", "mariadb:5", 180, "postrotate"),
        ("/var/lib/mysql/mariadb.log", "mariadb:5", 180, "postrotate"),
        ("/var/log/postgresql/postgresql-15-main.log", "postgresql-common:1", 70, None),
        ("/var/log/apt/history.log", "apt:9", 360, None),
        ("/var/log/dpkg.log", "dpkg:1", 360, None),
        ("/var/log/wtmp", "wtmp:2", 30, None),
    ],
)
def test_the_rule_that_names_a_log(debian: Configuration, path: str, place: str, kept: int, script: str | None) -> None:
    (rule,) = debian.of(path)
    assert rule.place == f"{DATA}/logrotate.d/{place}"
    assert rule.kept == timedelta(days=kept)
    found = reopening(rule)
    assert (found.kind if found else None) == script


@pytest.mark.parametrize("path", ["/var/log/nginx/access.log.1", "/var/log/nginx/old/a.log", "/var/log/nginx/.log"])
def test_a_glob_ends_at_a_slash_and_passes_hidden_files(debian: Configuration, path: str) -> None:
    assert debian.of(path) == []


def test_what_stands_outside_of_blocks_holds_for_blocks_behind_it(tmp_path: Path) -> None:
    before, behind = of(
        "/a {\n}\nweekly\nrotate 4\ncreate 0640 root adm\n/b {\n  rotate 7\n  nocreate\n}\n", tmp_path
    ).rules
    assert (before.rotate, before.criterion, before.create) == (0, "size", None)
    assert (behind.rotate, behind.criterion, behind.create) == (7, "weekly", None)


def test_the_debian_rule_inherits_create(debian: Configuration) -> None:
    (rule,) = debian.of("/var/log/syslog")
    assert rule.create == Owner()
    assert words(rule, "/var/log/syslog") == (
        "weekly",
        "renamed to syslog.1",
        "a new log is made (create, with the old one's owner and permissions)",
        "the writer reopens it (postrotate)",
        "4 are kept",
        "compressed one rotation later (gzip, .gz)",
    )


def test_paths_are_quoted_as_in_a_shell_and_may_stand_on_lines_of_their_own(tmp_path: Path) -> None:
    rule = rule_of(
        '/var/log/a.log "/var/log/b c.log"\n# a comment {\n/var/log/d\\ e.log\n{ daily missingok }\n', tmp_path
    )
    assert rule.patterns == ("/var/log/a.log", "/var/log/b c.log", "/var/log/d e.log")
    assert (rule.line, rule.criterion, rule.missingok) == (1, "daily", True)


def test_every_directive_that_changes_a_rotation(tmp_path: Path) -> None:
    rule = rule_of(
        """/x/app.log {
        hourly
        rotate=5
        start 3
        maxage 9
        minsize 10k
        maxsize 2M
        compress
        compresscmd /usr/bin/xz
        dateext
        dateformat -%Y%m%d-%H
        dateyesterday
        extension .log
        olddir /y/old
        createolddir 0750 root adm
        renamecopy
        shred
        su root adm
        notifempty
        sharedscripts
        }""",
        tmp_path,
    )
    assert (rule.criterion, rule.rotate, rule.start, rule.maxage) == ("hourly", 5, 3, 9)
    assert (rule.minsize, rule.maxsize, rule.kept) == (10240, 2 * 1024 * 1024, timedelta(hours=5))
    assert (rule.compresscmd, rule.compressext) == ("/usr/bin/xz", ".xz")
    assert (rule.dateext, rule.dateformat, rule.dateyesterday, rule.extension) == (True, "-%Y%m%d-%H", True, ".log")
    assert (rule.folder("/x/app.log"), rule.createolddir) == ("/y/old", Owner(0o750, "root", "adm"))
    assert (rule.su, rule.shred, rule.ifempty, rule.renamecopy) == (Owner(None, "root", "adm"), True, False, True)


def test_the_last_word_counts(tmp_path: Path) -> None:
    rule = rule_of("/x {\ncopytruncate\nrenamecopy\ndaily\nsize 1M\ncompress\nnocompress\n}", tmp_path)
    assert (rule.copytruncate, rule.renamecopy, rule.criterion, rule.compress) == (False, True, "size", False)


def test_a_script_is_text_up_to_endscript(tmp_path: Path) -> None:
    rule = rule_of(
        "/x {\npostrotate\n  if true; then {\n    # kill -HUP 1\n  }\n  fi\nendscript\nrotate 3\n}\n", tmp_path
    )
    (script,) = rule.scripts
    assert (script.kind, script.line, rule.rotate) == ("postrotate", 2, 3)
    assert script.text.splitlines()[0] == "  if true; then {"
    assert reopening(rule) is None
    assert unclear(rule) == script


@pytest.mark.parametrize(
    "command",
    [
        "kill -HUP $(cat /run/x.pid)",
        "kill -s USR1 `cat /run/x.pid`",
        "/usr/bin/killall -1 syslogd",
        "pkill --signal SIGHUP x",
        "systemctl kill -s HUP rsyslog.service",
        "systemctl try-restart x",
        "/usr/lib/rsyslog/rsyslog-rotate",
        "nginx -s reopen",
        "apachectl graceful",
        "mysqladmin flush-logs",
        "psql -c 'x'; pg_ctl logrotate",
    ],
)
def test_a_script_that_makes_the_writer_reopen(command: str, tmp_path: Path) -> None:
    assert reopening(rule_of(f"/x {{\npostrotate\n{command}\nendscript\n}}\n", tmp_path))
    assert reopening(rule_of(f"/x {{\nprerotate\n{command}\nendscript\n}}\n", tmp_path)) is None


def test_an_included_directory_passes_over_taboo_files(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for name in ("app", "app.dpkg-old", "app~", "app.off"):
        (folder / name).write_text("/var/log/" + name + " {\n}\n")
    found = of(f"tabooext + .off\ninclude {folder}\n", tmp_path)
    assert [rule.patterns for rule in found.rules] == [("/var/log/app",)]


def test_includes_are_not_followed_for_ever(tmp_path: Path) -> None:
    found = of(f"include {tmp_path / 'rules'}\n/x {{\n}}\n", tmp_path)
    assert "nested deeper than 16" in str(found.problems[0])
    assert len(found.rules) == 17


def test_an_unknown_directive_is_named_and_passed_over(tmp_path: Path) -> None:
    found = of("/x {\n  copytrunkate\n  rotate 3\n}\n", tmp_path)
    (problem,) = found.problems
    assert str(problem).startswith(f"{tmp_path}/rules:2: copytrunkate: is no directive of logrotate.conf(5)")
    assert "did you mean 'copytruncate'?" in problem.message
    assert (found.rules[0].rotate, found.rules[0].error) == (3, "")


def test_a_wrong_argument_takes_its_block_out(tmp_path: Path) -> None:
    found = of("/x {\n  rotate many\n}\n/y {\n}\n", tmp_path)
    assert [problem.key for problem in found.problems] == ["rotate"]
    assert [rule.error for rule in found.rules] == ["line 2: rotate: expected a number from -1 on, got 'many'", ""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/x {\npostrotate\nkill -HUP 1\n}\n", "write `endscript`"),
        ("}\n", "a line must begin with"),
        ("/x\nweekly\n}\n", "stands before any `{`"),
        ('"/x {\n}\n', "cannot be read"),
        ("rotate x\n", "expected a number"),
    ],
)
def test_an_error_outside_of_blocks_ends_its_file(text: str, said: str, tmp_path: Path) -> None:
    found = of(text + "/z {\n}\n", tmp_path)
    assert said in found.problems[-1].message
    assert [rule for rule in found.rules if not rule.error] == []


TOKENS = st.sampled_from(
    [*FLAGS, *VALUES, *SCRIPTS, "endscript", "include", "tabooext", "{", "}", "\n", " ", "=", "#", "/var/log/*.log", '"',
     "0640", "root", "-1", "99999999999999999999", "7k", "%Y", "\\", "\0", "ä", "+"]
)  # fmt: skip


@given(st.lists(TOKENS, max_size=60).map(" ".join) | st.text(max_size=200))
def test_no_text_stops_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any-rules"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    for rule in read([str(file)]).rules:
        assert rule.place.startswith(f"{file}:")
        assert words(rule, "/var/log/app.log")
        rule.matches("/var/log/app.log")
