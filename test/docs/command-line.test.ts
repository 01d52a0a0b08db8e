import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LocalGateway, startLocalGateway } from '../../src/testing/index.ts'
import { bareEnv, collect, MAIN } from '../platform/cli/command.ts'
import { IDENTITY } from '../support/helpers.ts'
import { blocksOf, pageAt, read, tableOf } from './pages.ts'

const commands = blocksOf('sh')
  .flatMap(({ code }) => code.trim().split('\n'))
  .filter((command) => command.includes('npx middy-signed-services '))

const OPTIONS = /--?[a-z][a-z-]*/g

let gateway: LocalGateway
let folder: string

beforeAll(async () => {
  const ai = {
    'GET /health': { status: 'healthy' },
    'GET /jobs': [],
    'GET /jobs/:id': ({ params }: { params: object }) => params,
    'PUT /jobs/:id': {},
    'GET /events': 'data: 1\n\n',
    'POST /generate/social-post': { jobId: 'j-1' },
  }
  gateway = await startLocalGateway({ services: { ai, integration: ai }, credentials: IDENTITY })
  folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-docs-'))
  const { accessKeyId, secretAccessKey, sessionToken } = IDENTITY
  const keys = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\naws_session_token = ${sessionToken}\n`
  writeFileSync(join(folder, 'credentials'), `[dev]\n${keys}`)
  writeFileSync(join(folder, 'job.json'), '{"topic":"tea"}')
  writeFileSync(join(folder, '.env'), 'UNUSED=1\n')
})

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await gateway.close()
})

describe('the commands of the pages run:', () => {
  it('some of each', () => {
    for (const name of ['call', 'doctor']) {
      expect(
        commands.filter((command) => command.includes(`npx middy-signed-services ${name}`)).length,
      ).toBeGreaterThan(1)
    }
  })

  it.each(commands)('%s', async (command) => {
    const here = command.replace(/https:\/\/abc123[^/]+\/prod/, `${gateway.env.AI_SERVICE_API_URL}`)
    const script = `npx() { shift; "${process.execPath}" "${MAIN}" "$@"; }\n${here}`
    const env = {
      ...bareEnv(),
      ...gateway.env,
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      AWS_CONFIG_FILE: join(folder, 'none'),
      AWS_ENDPOINT_URL_STS: gateway.url,
    }
    const before = gateway.requests.length
    const { code, stderr } = await collect(spawn('sh', ['-c', script], { cwd: folder, env }))
    // The local gateway is no STS.
    expect(code, stderr).toBe(command.includes('--whoami') ? 1 : 0)
    const requests = gateway.requests.slice(before).filter(({ service }) => service !== '')
    expect(requests.length).toBeGreaterThan(0)
    expect(requests.every(({ signature }) => signature.verified)).toBe(true)
  })
})

it('the page lists the real exit codes and checks', () => {
  const page = pageAt('docs/command-line.md')
  expect(tableOf(page, 'code', '`call`', '`doctor`').map(([code]) => code)).toEqual(['0', '1', '2', '130'])
  const listed = tableOf(page, 'check', 'is ok if').map(([name = '']) => name.replaceAll('`', ''))
  const real = [...read('src/cli/checks.ts').matchAll(/name(?: = |: )'(\w+)'/g)].map(([, name]) => name as string)
  expect(listed.toSorted()).toEqual([...new Set(real)].toSorted())
})

it('the page names no option that there is not', () => {
  const { text } = pageAt('docs/command-line.md')
  const known = new Set(read('src/cli/help.ts').match(OPTIONS))
  const named = [...text.matchAll(/`(--[a-z-]+)/g)].map(([, option]) => option as string)
  expect(named.filter((option) => !known.has(option))).toEqual([])
})
