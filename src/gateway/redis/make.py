#!/usr/bin/env python3
"""Makes the C table of commands.txt: make.py OUT LIST."""
import sys

rows = [line.split() for line in open(sys.argv[2], encoding='ascii') if not line.startswith('#')]
rows.sort(key=lambda row: row[0])
with open(sys.argv[1], 'w', encoding='ascii') as out:
    out.write('#include "redis/commands.h"\n\nconst struct redis_command redis_commands[] = {\n')
    for name, arity, first, last, step, keys, manner in rows:
        out.write(f'    {{ "{name}", {arity}, {first}, {last}, {step}, REDIS_KEYS_{keys}, REDIS_{manner} }},\n')
    out.write(f'}};\nconst size_t redis_command_count = {len(rows)};\n')
