/**
 * Names that this run linked to one another. Each new link moves the ctime of all of them: their records are taken
 * anew, so that nobody reads them again because of it.
 */
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { Stat } from '../../platform/filesystem.ts';
import { type ApplyContext, locate } from './context.ts';
import type { Ledger } from './ledger.ts';
import { isSameContent, packStat } from './packed-stat.ts';

interface Group {
  readonly members: Set<BytePath>;
  stat: Stat;
}

export class LinkGroups {
  readonly #context: ApplyContext;
  readonly #groups = new Map<bigint, Group>();
  readonly #touched = new Set<Group>();

  constructor(context: ApplyContext) {
    this.#context = context;
  }

  /** `path` became another name of the file that `to` names; `stat` is of that file. Its record is renewed at once. */
  add(ledger: Ledger, path: BytePath, to: BytePath, stat: Stat): void {
    const known = this.#groups.get(stat.ino);
    const group = known ?? { members: new Set([to]), stat };
    group.stat = stat;
    group.members.add(to).add(path);
    this.#groups.set(stat.ino, group);
    this.#touched.add(group);
    this.#renew(ledger, to, group);
  }

  /** Renews the records of all names of the groups touched since the last time. */
  refresh(ledger: Ledger): void {
    for (const group of this.#touched) for (const path of group.members) this.#renew(ledger, path, group);
    this.#touched.clear();
  }

  #renew(ledger: Ledger, path: BytePath, group: Group): void {
    const record = ledger.lookup(path);
    const stat = this.#context.fileSystem.stat(this.#context.root, locate(this.#context, path));
    if (record === null || stat === null || !isSameContent(stat, group.stat)) return;
    ledger.put(path, { ...record, packedStat: packStat(stat) });
  }
}
