"""What a person can mend is told in the language asked for."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from shindan.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "env", "sentence"),
    [
        (["report", "--lang", "ja", "gone.db"], {}, "gone.db に実行記録がありません"),
        (["report", "--lang", "en", "gone.db"], {"SHINDAN_LANG": "ja"}, "there is no record at"),
        (["explain", "--lang", "ja", "none/such"], {}, "'none/such' という不具合はありません"),
        (["run", "gone.py"], {"SHINDAN_LANG": "ja"}, "スクリプト gone.py がありません"),
        (["run", "--html", "taken/a.html", "gone.py"], {"LANG": "ja_JP.UTF-8"}, "書き込めません"),
    ],
)
def test_errors_speak_the_language(
    arguments: list[str], env: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    runner = CliRunner(env={"LC_ALL": None, "SHINDAN_LANG": None, **env})
    with runner.isolated_filesystem(tmp_path):
        Path("taken").write_text("a file")
        told = runner.invoke(main, arguments)
    assert told.exit_code == 2
    assert sentence in told.output
