import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it('runs on the Node.js that is wanted', () => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'))
  expect(process.versions.node).toBe(process.env.NODE_WANTED ?? manifest.devDependencies.node)
})
