"""The JSON schema says of each fixture what the reader says: valid, or not.

A fixture may name what a schema cannot express: "#! schema accepts NAME: why", NAME being `all` or a
table such as partition.x; "#! schema each": every table alone must be rejected.
"""

import json
import pathlib
import sys
import tomllib

try:
    import jsonschema
except ImportError as missing:
    sys.exit(f"{missing}: tests/requirements.txt has it, and tools/test puts it into build/venv")


def directives(data):
    for line in data.decode("utf-8", "replace").splitlines():
        if line.startswith("#! schema "):
            yield line.removeprefix("#! schema ").partition(":")[0].split()


def parts(policy):
    """Each partition, pool and rule as a policy of its own."""
    for kind in ("partition", "pool"):
        for name, table in policy.get(kind, {}).items():
            yield f"{kind}.{name}", {"schema": 1, kind: {name: table}}
    for number, rule in enumerate(policy.get("rule", [])):
        yield f"rule.{number}", {"schema": 1, "rule": [rule]}


class Fixtures:
    def __init__(self, schema):
        jsonschema.Draft202012Validator.check_schema(schema)
        self.validator = jsonschema.Draft202012Validator(schema)
        self.failures = []
        self.checked = 0

    def expect(self, name, policy, valid):
        self.checked += 1
        errors = [f"{e.json_path}: {e.message}" for e in self.validator.iter_errors(policy)]
        if valid != (not errors):
            self.failures.append(f"{name}: {errors if valid else 'accepted, but not by the reader'}")

    def good(self, path):
        self.expect(path.name, tomllib.loads(path.read_bytes().decode("utf-8-sig")), True)

    def bad(self, path):
        data = path.read_bytes()
        try:
            policy = tomllib.loads(data.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            self.checked += 1
            return
        said = list(directives(data))
        accepted = {words[1] for words in said if words[0] == "accepts"}
        if ["each"] in said:
            for name, part in parts(policy):
                self.expect(f"{path.name}: {name}", part, name in accepted)
        self.expect(path.name, policy, "all" in accepted)


def main():
    schema, fixtures, *more = (pathlib.Path(argument) for argument in sys.argv[1:])
    checks = Fixtures(json.loads(schema.read_text()))
    for path in sorted(fixtures.glob("good/*.toml")):
        checks.good(path)
    for path in sorted(fixtures.glob("bad/*.toml")):
        checks.bad(path)
    for folder in more:
        for path in sorted(folder.rglob("*.toml")):
            checks.good(path)
    print("\n".join(checks.failures) or f"{checks.checked} policies as expected")
    sys.exit(1 if checks.failures or checks.checked == 0 else 0)


main()
