/** Sizes in bytes, from esbuild's metafile. */
import { basename } from 'node:path'
import type { Metafile } from 'esbuild'

/** The file of that name and everything that it imports before it runs. */
export function loadedAtStart({ outputs }: Metafile, name: string): number {
  const loaded = new Set(Object.keys(outputs).filter((file) => basename(file) === name))
  // The loop also visits what is added to the set meanwhile.
  for (const file of loaded) {
    for (const { path, kind, external } of outputs[file]?.imports ?? []) {
      if (kind === 'import-statement' && !external) loaded.add(path)
    }
  }
  return [...loaded].reduce((sum, file) => sum + (outputs[file]?.bytes ?? 0), 0)
}

/** What each package contributes to the output, largest first. */
export function sizeByPackage({ outputs }: Metafile): Record<string, number> {
  const sizes: Record<string, number> = {}
  for (const { inputs } of Object.values(outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file) ?? []
      if (name !== undefined) sizes[name] = (sizes[name] ?? 0) + bytesInOutput
    }
  }
  return Object.fromEntries(Object.entries(sizes).toSorted(([, a], [, b]) => b - a))
}
