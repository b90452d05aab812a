#!/usr/bin/python3
"""Each OpenAPI file and the route table of its program say the same, both ways: the town door of beffroi-idp, the front of
beffroi-pki."""
import os, re, subprocess

DOORS = [('mairie-connector/wire/openapi.yaml', 'idp/beffroi-idp', 'town'), ('docs/pki-api.yaml', 'pki/beffroi-pki', 'front')]
TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))


def written(name):
    """{(method, path): operationId} of the file, by its indentation (it is ours: two spaces a level)."""
    found, path, method, inside = {}, None, None, False
    with open(os.path.join(TOP, name)) as f:
        for line in f:
            if re.match(r'\S', line):
                inside = line.startswith('paths:')
            elif inside and (m := re.match(r'  (/\S*):$', line)):
                path = m.group(1)
            elif inside and (m := re.match(r'    (get|post|put|patch|delete):$', line)):
                method = m.group(1).upper()
            elif inside and (m := re.match(r'      operationId: (\S+)$', line)):
                found[method, path] = m.group(1)
    return found


def served(program, door):
    binary = os.path.join(os.environ.get('BEFFROI_BUILD') or os.path.join(TOP, 'build'), program)
    lines = subprocess.run([binary, 'routes'], capture_output=True, text=True, check=True).stdout.splitlines()
    return {(w[1], w[2]): w[3] for w in map(str.split, lines) if w[0] == door}


def references(name):
    with open(os.path.join(TOP, name)) as f:
        text = f.read()
    named = {(group, name) for group, name in re.findall(r'"#/components/(\w+)/(\w+)"', text)}
    there, group = set(), None
    for line in text[text.index('\ncomponents:'):].splitlines():
        if m := re.match(r'  (\w+):$', line):
            group = m.group(1)
        elif m := re.match(r'    (\w+):$', line):
            there.add((group, m.group(1)))
    return named, {x for x in there if x[0] != 'securitySchemes'}, text


def check(name, program, door):
    file, table = written(name), served(program, door)
    assert len(table) >= 10, table
    assert file == table, {'only in the file': set(file.items()) - set(table.items()),
                           'only in the table': set(table.items()) - set(file.items())}
    named, there, text = references(name)
    assert named == there, {'missing': named - there, 'of no use': there - named}
    bodies = re.findall(r'requestBody:.*?schemas/(\w+)"', text, re.S)
    for body in bodies:
        schema = re.search(rf'\n    {body}:\n((?:      .*\n)+)', text).group(1)
        assert 'additionalProperties: false' in schema, f'{body} takes unknown members'


def main():
    for door in DOORS:
        check(*door)
    print('openapi: all well')


if __name__ == '__main__':
    main()
