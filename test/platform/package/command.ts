/** Runs the command of the tarball by `npx` in a folder that has nothing else, as people do. */
import { deepStrictEqual as equal, ok } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { startLocalGateway } from '../../../src/testing/index.ts'
import { manifest, type Project } from './project.ts'

export async function checkCommand({ tarball }: Project): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-npx-'))
  const gateway = await startLocalGateway({ services: { ai: { 'GET /health': { status: 'healthy' } } } })
  // This process's Node.js comes first, whichever one npm itself runs on.
  const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`
  const npx = async (...args: string[]) => {
    const command = ['--yes', '--package', tarball, '--', manifest.name, ...args]
    const { stdout } = await promisify(execFile)('npx', command, {
      cwd: folder,
      env: { ...process.env, PATH: path, ...gateway.env },
    })
    return stdout
  }
  try {
    equal((await npx('--version')).trim(), manifest.version)
    equal(JSON.parse(await npx('call', 'ai', 'health')), { status: 'healthy' })
    ok(JSON.parse(await npx('doctor', 'ai', '--json')).ok)
    equal(
      gateway.requests.map(({ signature }) => signature.verified),
      [true, true],
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await gateway.close()
  }
}
