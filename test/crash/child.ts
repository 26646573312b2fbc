/** Applies the scenario to a tree that is there already, and kills itself before the n-th change. */
import { loadAddonFrom } from '../../src/platform/addon.ts';
import { nativeFileSystem } from '../../src/platform/native-filesystem.ts';
import { portableFileSystem } from '../../src/platform/portable-filesystem.ts';
import { hookedFileSystem } from '../sync/apply/hooked-filesystem.ts';
import { Workbench } from '../sync/apply/workbench.ts';
import { MUTATING, ordersFor } from './scenario.ts';

const [directory = '', nth = '0', addonFile = ''] = process.argv.slice(2);
const { addon } = loadAddonFrom(addonFile);
const fileSystem = addon === null ? portableFileSystem() : nativeFileSystem(addon);
const bench = Workbench.on(fileSystem, directory).observe();
let count = 0;
const killing = hookedFileSystem(fileSystem, (method) => {
  if (MUTATING.has(method) && ++count === Number(nth)) process.kill(process.pid, 'SIGKILL');
});
bench.apply(ordersFor(bench), { fileSystem: killing });
