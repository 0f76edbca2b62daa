#!/usr/bin/env python3
"""Makes C tables of the lists in this folder: make.py OUT LIST..."""
import os
import sys


def table(path):
    name = os.path.splitext(os.path.basename(path))[0]
    lines = [line.strip() for line in open(path, encoding='ascii')]
    names = sorted(line for line in lines if line and not line.startswith('#'))
    names.sort(key=lambda line: line[1:])
    rows = ''.join(f'    {{ "{line[1:]}", {str(line[0] == "+").lower()} }},\n' for line in names)
    return f'const struct known_name known_{name}[] = {{\n{rows}}};\nconst size_t known_{name}_count = {len(names)};\n'


with open(sys.argv[1], 'w', encoding='ascii') as out:
    out.write('#include "names.h"\n\n' + '\n'.join(table(path) for path in sys.argv[2:]))
