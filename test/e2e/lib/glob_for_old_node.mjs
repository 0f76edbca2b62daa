// test/e2e/lib/glob_for_old_node.mjs - a preload: the conformance tool imports fs.globSync, which Node
// 20 has not, for a command that is not used here.
import { register } from 'node:module';

const source = 'export * from "node:fs"; export { default } from "node:fs"; export const globSync = () => [];';
const hook = `export const resolve = (name, context, next) => name === 'fs' && context.parentURL.includes('/conformance/')
    ? { url: ${JSON.stringify(`data:text/javascript,${encodeURIComponent(source)}`)}, shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
