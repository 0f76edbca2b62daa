// What the gateway reads of a statement, against what PostgreSQL itself does with it: random
// statements of a grammar are planned by a server as a role that holds exactly the privileges
// which the gateway would ask for. PostgreSQL must not miss one, and must not name a relation
// that the gateway has not named. WRIT_SQL_STATEMENTS sets how many, WRIT_SQL_SEED which.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';

import { Postgres } from './lib/postgres.mjs';
import { PROGRAM } from './lib/writ.mjs';

const COUNT = Number(process.env.WRIT_SQL_STATEMENTS ?? 3000);
const SEED = Number(process.env.WRIT_SQL_SEED ?? 20261127);
const touches = join(dirname(realpathSync(PROGRAM)), '../../test/unit/sql/sql-touches');

// --- the database ---------------------------------------------------------------------------

// Every int column comes first; the text columns follow.
const tables = {
    'public.orders': { id: 'int', customer: 'int', total: 'int', item: 'text' },
    'public.customers': { id: 'int', name: 'text', password: 'text' },
    'app.items': { id: 'int', order_id: 'int', price: 'int', note: 'text' },
    'app.orders': { id: 'int', kept: 'int', item: 'text' },
    'public.Odd.name': { id: 'int', 'Col A': 'text' },
    'secret.vault': { id: 'int', v: 'text' },
};
const split = (name) => [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)];
const quote = (name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name}"`);
const functions = { 'app.twice': 'int', 'public.label': 'int', 'secret.reveal': 'int' };

// A column that no statement names. Who reads a table without any of its columns needs the
// privilege for one of them, whichever.
const spare = (name) => `spare${Object.keys(tables).indexOf(name)}`;

const schema = `
    CREATE SCHEMA app; CREATE SCHEMA secret; CREATE ROLE tried;
    GRANT USAGE ON SCHEMA public, app, secret TO tried;
    ${Object.entries(tables).map(([name, columns]) => `CREATE TABLE ${split(name).map(quote).join('.')} (${
        Object.entries(columns).map(([column, type]) => `${quote(column)} ${type}${column === 'id' ? ' PRIMARY KEY' : ''}, `).join('')}${spare(name)} int);`).join('\n')}
    ${Object.keys(functions).map((name) => `CREATE FUNCTION ${name}(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
        REVOKE ALL ON FUNCTION ${name}(int) FROM PUBLIC;`).join('\n')}`;

// --- statements ---------------------------------------------------------------------------------

let state = SEED;
function roll(sides) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
}
const pick = (list) => list[roll(list.length)];
const some = (least, most, make) => Array.from({ length: least + roll(most - least + 1) }, make);
const maybe = (odds, make) => (roll(100) < odds ? make() : '');

let aliases = 0;
// Now and then one that hides a table or looks like a column.
const fresh = () => (roll(5) ? `a${aliases++}` : pick(['orders', 'customers', 'vault', 'id', 'item']));

// A table's name as a statement may write it. Unqualified names go by search_path = app, public.
function tableName() {
    const name = pick(Object.keys(tables));
    const [schemaName, table] = split(name);
    const visible = schemaName !== 'secret' && !(schemaName === 'public' && table === 'orders');
    return {
        text: visible && roll(2) ? quote(table) : `${quote(schemaName)}.${quote(table)}`,
        columns: Object.entries(tables[name]).map(([column, type]) => ({ column, type })),
        name: table,
    };
}

// scope: {ranges: [{alias, columns}], outer, ctes: [{name, columns}]}
const allRanges = (scope) => (scope === null ? [] : [...scope.ranges, ...allRanges(scope.outer)]);
const allCtes = (scope) => (scope === null ? [] : [...scope.ctes, ...allCtes(scope.outer)]);

function reference(scope, type) {
    const found = allRanges(scope).flatMap((range) => range.columns
        .filter((column) => column.type === type).map(({ column }) => ({ alias: range.alias, column })));
    if (found.length === 0)
        return type === 'int' ? String(roll(9)) : `'x${roll(9)}'`;
    const { alias, column } = pick(found);
    return roll(5) ? `${quote(alias)}.${quote(column)}` : quote(column);
}

function whole(scope) {
    const ranges = allRanges(scope);
    if (ranges.length === 0)
        return `'none'`;
    const alias = quote(pick(ranges).alias);
    return pick([`row_to_json(${alias})::text`, `${alias}::text`, `(${alias}.*)::text`, `to_jsonb(${alias})::text`,
        `md5(${alias}::text)`, `(SELECT ${alias}::text)`]);
}

function text(scope, depth) {
    switch (depth <= 0 ? roll(2) : roll(9)) {
    case 0: return `'t${roll(9)}'`;
    case 2: return `lower(${text(scope, depth - 1)})`;
    case 3: return `${int(scope, depth - 1)}::text`;
    case 4: return whole(scope);
    case 5: return `(SELECT max(${text(scope, depth - 1)}) ${from(scope, depth - 1).text})`;
    case 6: return `coalesce(${text(scope, depth - 1)}, ${text(scope, depth - 1)})`;
    case 7: return `(SELECT ${scalar(scope, depth - 1, 'text')} LIMIT 1)`;
    default: return reference(scope, 'text');
    }
}

function int(scope, depth) {
    switch (depth <= 0 ? roll(3) : roll(13)) {
    case 0: return String(roll(100));
    case 3: return `(${int(scope, depth - 1)} + ${int(scope, depth - 1)})`;
    case 4: return `${pick(['app.twice', 'twice', 'label', 'public.label', 'secret.reveal'])}(${int(scope, depth - 1)})`;
    case 5: return `length(${text(scope, depth - 1)})`;
    case 6: return `(SELECT ${scalar(scope, depth - 1, 'int')} LIMIT 1)`;
    case 7: return `CASE WHEN ${bool(scope, depth - 1)} THEN ${int(scope, depth - 1)} ELSE ${int(scope, depth - 1)} END`;
    case 8: return `cardinality(ARRAY(SELECT ${scalar(scope, depth - 1, 'int')}))`;
    case 9: return `(SELECT count(*) ${from(scope, depth - 1).text})::int`;
    case 10: return `greatest(${int(scope, depth - 1)}, ${int(scope, depth - 1)})`;
    default: return reference(scope, 'int');
    }
}

function bool(scope, depth) {
    switch (depth <= 0 ? roll(3) : roll(9)) {
    case 0: return `${int(scope, depth - 1)} < ${int(scope, depth - 1)}`;
    case 1: return `${text(scope, depth - 1)} LIKE 'a%'`;
    case 2: return `${text(scope, depth - 1)} IS NOT NULL`;
    case 3: return `EXISTS (${select(scope, depth - 1).text})`;
    case 4: return `${int(scope, depth - 1)} IN (SELECT ${scalar(scope, depth - 1, 'int')})`;
    case 5: return `${int(scope, depth - 1)} = ANY (SELECT ${scalar(scope, depth - 1, 'int')})`;
    case 6: return `NOT (${bool(scope, depth - 1)})`;
    case 7: return `(${bool(scope, depth - 1)} OR ${bool(scope, depth - 1)})`;
    default: return `(${int(scope, depth - 1)}, 'x') = (SELECT ${scalar(scope, depth - 1, 'int', ", 'x'")} LIMIT 1)`;
    }
}

// The rest of a SELECT with one column.
function scalar(scope, depth, type, more = '') {
    const made = from(scope, depth);
    const value = type === 'int' ? int(made.scope, depth) : text(made.scope, depth);
    return `${value}${more} ${made.text} ${maybe(40, () => `WHERE ${bool(made.scope, depth - 1)}`)}`;
}

function item(scope, depth, beside) {
    const ctes = allCtes(scope);
    const inner = { ranges: beside, outer: scope.outer, ctes: scope.ctes };
    switch (roll(depth > 0 ? 9 : 3)) {
    case 0: case 1: case 2: case 3: {
        const cte = ctes.length > 0 && roll(2) ? pick(ctes) : null;
        const table = cte !== null ? { text: quote(cte.name), columns: cte.columns, name: cte.name } : tableName();
        if (roll(4) === 0)
            return { text: table.text, ranges: [{ alias: table.name, columns: table.columns }] };
        const alias = fresh();
        if (roll(6) === 0 && table.columns.length > 0) {
            const columns = table.columns.map((column, i) => ({ ...column, column: `c${i}` }));
            return { text: `${table.text} AS ${alias}(${columns.map(({ column }) => column)})`, ranges: [{ alias, columns }] };
        }
        return { text: `${maybe(10, () => (cte === null ? 'ONLY ' : ''))}${table.text} ${alias}`, ranges: [{ alias, columns: table.columns }] };
    }
    case 4: {
        const lateral = roll(2) === 0;
        const query = select(lateral ? { ranges: beside, outer: scope.outer, ctes: scope.ctes } : { ranges: [], outer: scope.outer, ctes: scope.ctes }, depth - 1);
        const alias = fresh();
        return { text: `${lateral ? 'LATERAL ' : ''}(${query.text}) ${alias}`, ranges: [{ alias, columns: query.columns }] };
    }
    case 5: {
        const alias = fresh();
        return { text: `generate_series(1, ${int(inner, depth - 1)}) AS ${alias}(n)`, ranges: [{ alias, columns: [{ column: 'n', type: 'int' }] }] };
    }
    default: {
        const left = item(scope, depth - 1, beside);
        const right = item(scope, depth - 1, [...beside, ...left.ranges]);
        const joined = [...left.ranges, ...right.ranges];
        const kind = roll(4);
        const condition = kind === 0 ? ' NATURAL JOIN ' : kind === 1 ? ' CROSS JOIN ' : pick([' JOIN ', ' LEFT JOIN ', ' FULL JOIN ']);
        const tail = kind === 2 ? ` USING (id)${maybe(20, () => ` AS ${fresh()}`)}`
            : kind === 3 ? ` ON ${bool({ ranges: joined, outer: scope.outer, ctes: scope.ctes }, depth - 1)}` : '';
        if (roll(5) === 0) {
            const alias = fresh();
            return { text: `(${left.text}${condition}${right.text}${tail}) AS ${alias}`,
                ranges: [{ alias, columns: joined.flatMap(({ columns }) => columns) }] };
        }
        return { text: roll(2) ? `(${left.text}${condition}${right.text}${tail})` : `${left.text}${condition}${right.text}${tail}`, ranges: joined };
    }
    }
}

function from(outer, depth) {
    const scope = { ranges: [], outer, ctes: [] };
    const items = some(1, 2, () => {
        const made = item(scope, depth, scope.ranges);
        scope.ranges = [...scope.ranges, ...made.ranges];
        return made.text;
    });
    return { text: `FROM ${items.join(', ')}`, scope };
}

function withClause(scope, depth, top) {
    if (depth <= 0 || roll(100) >= 30)
        return '';
    const recursive = roll(3) === 0;
    const parts = some(1, 2, () => {
        const name = pick(['orders', 'customers', 'items', 'vault', `w${roll(3)}`]);
        const query = top && roll(4) === 0 ? change(scope, depth - 1) : select(scope, depth - 1);
        const columns = query.columns.map(({ type }, i) => ({ column: `k${i}`, type }));
        scope.ctes = [{ name, columns }, ...scope.ctes];
        return columns.length > 0 ? `${name}(${columns.map(({ column }) => column)}) AS (${query.text})` : `${name} AS (${query.text})`;
    });
    return `WITH ${recursive ? 'RECURSIVE ' : ''}${parts.join(', ')} `;
}

function select(outer, depth, top = false) {
    const holder = { ranges: [], outer, ctes: [] };
    const before = withClause(holder, depth, top);
    if (depth > 0 && roll(8) === 0) {
        const columns = [{ column: 's0', type: 'int' }];
        const arm = () => { const made = from(holder, depth - 1); return `SELECT ${int(made.scope, depth - 1)} AS s0 ${made.text}`; };
        return { text: `${before}${arm()} ${pick(['UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT'])} ${roll(2) ? arm() : `(${arm()})`}${maybe(30, () => ' ORDER BY s0')}`, columns };
    }
    if (roll(25) === 0) {
        const table = tableName();
        return { text: `${before}TABLE ${table.text}`, columns: table.columns };
    }
    const made = from(holder, depth);
    if (roll(12) === 0)
        return { text: `${before}SELECT * ${made.text}`, columns: made.scope.ranges.flatMap(({ columns }) => columns) };
    const columns = some(1, 3, () => ({ type: pick(['int', 'text']) })).map(({ type }, i) => ({ type, column: pick([`o${i}`, `o${i}`, 'id', 'item']) }));
    const names = new Set();
    for (const [i, column] of columns.entries())
        column.column = names.has(column.column) ? `o${i}x` : (names.add(column.column), column.column);
    const list = columns.map(({ type, column }) => `${type === 'int' ? int(made.scope, depth - 1) : text(made.scope, depth - 1)} AS ${column}`);
    const where = maybe(50, () => ` WHERE ${bool(made.scope, depth - 1)}`);
    const order = maybe(30, () => ` ORDER BY ${pick([columns[0].column, int(made.scope, depth - 1), text(made.scope, depth - 1)])}`);
    const limit = maybe(15, () => ` LIMIT (SELECT ${scalar(null, depth - 1, 'int')} LIMIT 1)`);
    const lock = top ? maybe(8, () => pick([' FOR UPDATE', ' FOR SHARE', ' FOR NO KEY UPDATE'])) : '';
    return { text: `${before}SELECT ${list.join(', ')} ${made.text}${where}${order}${limit}${lock}`, columns };
}

function returning(scope, depth) {
    switch (roll(4)) {
    case 0: return { text: ' RETURNING *', columns: scope.ranges.flatMap(({ columns }) => columns) };
    case 1: return { text: ` RETURNING ${int(scope, depth)} AS r0, ${text(scope, depth)} AS r1`, columns: [{ column: 'r0', type: 'int' }, { column: 'r1', type: 'text' }] };
    default: return { text: '', columns: [] };
    }
}

function value(type, scope, depth) {
    return type === 'int' ? int(scope, depth) : text(scope, depth);
}

const assignments = (table, scope, depth) => table.columns.filter(({ column }) => column !== 'id')
    .slice(0, 1 + roll(2)).map(({ column, type }) => `${quote(column)} = ${value(type, scope, depth)}`).join(', ');

// INSERT, UPDATE, DELETE, MERGE
function change(outer, depth, top = false) {
    const holder = { ranges: [], outer, ctes: [] };
    const before = top ? withClause(holder, depth, true) : '';
    const table = tableName();
    const alias = roll(2) ? `t${aliases++}` : table.name;
    const named = alias === table.name ? table.text : `${table.text} AS ${alias}`;
    const scope = { ranges: [{ alias, columns: table.columns }], outer: holder, ctes: [] };
    const kind = roll(top ? 4 : 3);
    if (kind === 0) {
        const wanted = table.columns.filter(({ column }) => column === 'id' || roll(2));
        const list = roll(4) ? ` (${wanted.map(({ column }) => quote(column))})` : '';
        const targets = list === '' ? table.columns : wanted;
        const source = roll(2) ? `VALUES (${targets.map(({ type }) => value(type, holder, depth - 1))})`
            : (() => { const made = from(holder, depth - 1); return `SELECT ${targets.map(({ type }) => value(type, made.scope, depth - 1))} ${made.text}`; })();
        const conflict = pick(['', '', ' ON CONFLICT DO NOTHING', ' ON CONFLICT (id) DO NOTHING',
            ` ON CONFLICT (id) DO UPDATE SET ${assignments(table, { ...scope, ranges: [...scope.ranges, { alias: 'excluded', columns: table.columns }] }, depth - 1)}`]);
        const tail = returning(scope, depth - 1);
        return { text: `${before}INSERT INTO ${named}${list} ${source}${conflict}${tail.text}`, columns: tail.columns };
    }
    if (kind === 3) {
        const source = item(holder, depth - 1, []);
        const both = { ...scope, ranges: [...scope.ranges, ...source.ranges] };
        const clauses = [
            `WHEN MATCHED AND ${bool(both, depth - 1)} THEN ${roll(2) ? 'DELETE' : `UPDATE SET ${assignments(table, both, depth - 1)}`}`,
            `WHEN NOT MATCHED THEN INSERT (id) VALUES (${int({ ...scope, ranges: source.ranges }, depth - 1)})`,
            'WHEN MATCHED THEN DO NOTHING',
        ];
        return { text: `${before}MERGE INTO ${named} USING ${source.text} ON ${bool(both, 0)} ${clauses.slice(0, 1 + roll(3)).join(' ')}`, columns: [] };
    }
    let more = '';
    if (roll(2)) {
        const made = item(holder, depth - 1, []);
        scope.ranges = [...scope.ranges, ...made.ranges];
        more = made.text;
    }
    const where = maybe(60, () => ` WHERE ${bool(scope, depth - 1)}`);
    const tail = returning(scope, depth - 1);
    if (kind === 1)
        return { text: `${before}UPDATE ${named} SET ${assignments(table, scope, depth - 1)}${more && ` FROM ${more}`}${where}${tail.text}`, columns: tail.columns };
    return { text: `${before}DELETE FROM ${named}${more && ` USING ${more}`}${where}${tail.text}`, columns: tail.columns };
}

function statement() {
    aliases = 0;
    switch (roll(6)) {
    case 0: case 1: return change(null, 2, true).text;
    case 2: return `CREATE TABLE app.made AS ${select(null, 2).text}`;
    default: return select(null, 3, true).text;
    }
}

// --- the comparison -----------------------------------------------------------------------------

let server, client;

before(async () => {
    server = await Postgres.start({ settings: { log_statement: "'none'", log_min_messages: 'fatal' } });
    await server.must('CREATE DATABASE shop');
    await server.must(schema, 'shop');
    client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'postgres', database: 'postgres' });
    await client.connect();
});

after(async () => {
    await client?.end();
    await server?.close();
});

const decode = (text) => decodeURIComponent(text);

// "select:public.orders(id,item)" as what it is.
function parseTouch(text) {
    const [, action, name, , columns] = /^([a-z]+):([^(]*)(\((.*)\))?$/.exec(text);
    const dot = name.indexOf('.');
    return { action, schema: decode(name.slice(0, dot)), name: decode(name.slice(dot + 1)),
        columns: columns === undefined ? null : columns.split(',').map(decode) };
}

// What PostgreSQL calls what the gateway would ask for; of columns those that exist.
function grant({ action, schema: schemaName, name, columns }) {
    const full = `${schemaName}.${name}`;
    if (action === 'ddl')
        return `GRANT CREATE ON SCHEMA ${quote(schemaName)} TO tried`;
    if (action === 'call')
        return full in functions ? `GRANT EXECUTE ON FUNCTION ${full}(int) TO tried` : null;
    if (!(full in tables))
        return null;
    const real = columns?.filter((column) => column in tables[full]);
    if (real?.length === 0)
        real.push(spare(full));
    const list = real === undefined || action === 'delete' ? '' : ` (${real.map(quote)})`;
    return `GRANT ${action}${list} ON ${quote(schemaName)}.${quote(name)} TO tried`;
}

function relationsOf(plan, found = new Set()) {
    if (plan !== null && typeof plan === 'object') {
        if ('Relation Name' in plan)
            found.add(`${plan.Schema}.${plan['Relation Name']}`);
        for (const value of Object.values(plan))
            relationsOf(value, found);
    }
    return found;
}

async function explain(shop, text, grants) {
    await shop.query('BEGIN');
    try {
        if (grants.length > 0)
            await shop.query(grants.join('; '));
        await shop.query('SET LOCAL ROLE tried; SET LOCAL search_path = app, public');
        const { rows } = await shop.query(`EXPLAIN (VERBOSE, FORMAT JSON) ${text}`);
        return { relations: relationsOf(rows[0]['QUERY PLAN']) };
    } catch (error) {
        return { code: error.code, message: error.message };
    } finally {
        await shop.query('ROLLBACK');
    }
}

test(`the privileges that ${COUNT} random statements need are asked for (seed ${SEED})`, { timeout: 600_000 }, async (t) => {
    if (!existsSync(touches)) {
        t.skip(`${touches} is not built`);
        return;
    }
    const shop = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'postgres', database: 'shop' });
    shop.on('error', () => {});
    server.write('pg_hba.conf', ['local all all trust', 'host all postgres 127.0.0.1/32 trust']);
    await shop.connect();
    await shop.query('SET jit = off');
    const statements = Array.from({ length: COUNT }, statement);
    const answers = execFileSync(touches, ['app,public'], { input: statements.join('\0'), maxBuffer: 1 << 28 }).toString().split('\n\n');
    let planned = 0, read = 0;
    const wrong = [], unread = [], invalid = {};
    for (const [i, text] of statements.entries()) {
        const answer = answers[i].trim();
        if (answer.startsWith('refused')) {
            unread.push(`${answer}\n  ${text}`);
            continue;
        }
        read++;
        const asked = answer.split(' ').slice(1).filter((word) => word !== '').map(parseTouch);
        const result = await explain(shop, text, [...new Set(asked.map(grant).filter((line) => line !== null))]);
        if (result.code === '42501') {
            wrong.push(`${result.message}: ${text}\n  asked for ${answer}`);
        } else if (result.code !== undefined) {
            invalid[result.code] = (invalid[result.code] ?? 0) + 1;
        } else {
            planned++;
            const named = new Set(asked.map(({ schema: s, name }) => `${s}.${name}`));
            for (const relation of result.relations) {
                if (!named.has(relation))
                    wrong.push(`${relation} is not named: ${text}\n  asked for ${answer}`);
            }
        }
    }
    await shop.end();
    t.diagnostic(`${read} read, ${planned} planned, no plan for ${JSON.stringify(invalid)}`);
    assert.deepEqual(wrong.slice(0, 5), []);
    assert.deepEqual(unread.slice(0, 5), []);
    assert.ok(planned > COUNT / 3, `only ${planned} of ${COUNT} statements were planned`);
});
