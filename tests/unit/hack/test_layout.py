"""The figures of the layout, of a checkout that can be counted by hand."""

from pathlib import Path

from hack.layout import measure


def test_files_imports_floors_and_lines_are_counted(tmp_path: Path) -> None:
    files = {
        "common/src/heart_api/__init__.py": "",
        "common/src/heart_api/names.py": "def name():\n    return 1\n",
        "common/src/heart_api/model.py": "import json\nfrom heart_api.names import name\nfrom heart_api import names\n",
        "operator/src/heart_operator/main.py": "from heart_api.model import x\n\n\ndef run():\n    return 1\n",
        "trainer/src/heart_trainer/job.py": "import heart_operator.main\n\n\nclass Job:\n    def run(self): ...\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(measure(tmp_path).values()) == ["4", "3; 2, 1", "1", "3", "4", "2, 2, 2"]
