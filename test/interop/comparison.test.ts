import * as awsSigv4Fetch from 'aws-sigv4-fetch'
import * as aws4Axios from 'aws4-axios'
import * as aws4fetch from 'aws4fetch'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { compareSigners } from '../conformance/fuzz/fuzz.ts'
import { cellsOf, pageAt, pages, read, readme, tableOf } from '../docs/pages.ts'
import { simulateOutage } from '../load/outage/outage.ts'
import { createProject, type Project, root } from '../platform/package/project.ts'
import { TRACE_ID } from '../support/helpers.ts'
import { clients } from './comparison/clients.ts'
import { probes } from './comparison/probes.ts'
import { measureSize } from './comparison/size.ts'

// Some take seconds on a machine that has other work.
vi.setConfig({ testTimeout: 30_000 })

const rows = tableOf(readme, '', 'this package')
const head = cellsOf(readme.text.split('\n').find((line) => line.startsWith('| | this package |')) ?? '')
const { packages }: { packages: Record<string, { version: string }> } = JSON.parse(read('package-lock.json'))
const versionOf = (name: string) => packages[`node_modules/${name}`]?.version

/** The README's cell of a row and a client, whose column may name a version too. */
function cellOf(row: string, client: string): string | undefined {
  const column = head.findIndex((cell) => cell.replace(/ [\d.]+$/, '') === client)
  return rows.find(([name]) => name === row)?.[column]
}

beforeAll(() => {
  vi.stubEnv('_X_AMZN_TRACE_ID', TRACE_ID)
  vi.stubEnv('AWS_REGION', undefined)
})
afterAll(() => {
  vi.unstubAllEnvs()
})

describe.concurrent.each(Object.entries(probes))('%s', (row, probe) => {
  it.each(Object.entries(clients))('%s', async (client, create) => {
    expect(await probe(create)).toBe(cellOf(row, client))
  })
})

describe('loaded at start, minified', () => {
  // Bundles load what is published, which is smaller than the sources are: signing keys are inlined.
  let project: Project
  beforeAll(() => {
    project = createProject()
  }, 60_000)
  afterAll(() => project.remove())

  it.each(Object.keys(clients))('%s', async (client) => {
    const told = Number(/^(\d+) KB$/.exec(cellOf('loaded at start, minified', client) ?? '')?.[1])
    const measured = (await measureSize(client, client === 'this package' ? project.folder : root)) / 1000
    expect(Math.abs(measured - told), `${measured.toFixed(1)} KB`).toBeLessThan(Math.max(1, told * 0.05))
  })
})

it('the others export a signer and nothing else: no circuit breaker, no mocks, no gateway', () => {
  const exported = [aws4fetch, awsSigv4Fetch, aws4Axios].flatMap((peer) => Object.keys(peer))
  expect([...new Set(exported)].toSorted()).toEqual([
    'AwsClient',
    'AwsV4Signer',
    'aws4Interceptor',
    'createSignedFetcher',
    'default',
    'getAuthErrorMessage',
    // The older name of `aws4Interceptor`.
    'interceptor',
  ])
})

it('the odd URLs that signers are refused with are those that the page on signing lists', async () => {
  const listed = tableOf(pageAt('docs/signing.md'), 'signer', 'refused').map(([signer = '', count, urls = '']) => {
    const odd = [...urls.matchAll(/`([^`]+)`/g)].map(([, url]) => url)
    expect(String(odd.length)).toBe(count)
    return [signer.replace(/ [\d.]+(, .*)?$/, ''), odd]
  })
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(await compareSigners()))
})

it('an outage costs what the page on retries says', async () => {
  const young = await simulateOutage({ environments: 1, calls: 10 })
  const old = await simulateOutage({ environments: 1, calls: 100 })
  const told = tableOf(pageAt('docs/retries.md'), 'client', 'GET, 10 calls each').map(([client = '', ...cells]) => [
    client.replace(/ [\d.]+$/, ''),
    ...cells,
  ])
  const measured = [...young].map(([client, { GET, POST }]) => {
    const cells = [GET, old.get(client)?.GET, POST, old.get(client)?.POST]
    return [client, ...cells.map((cell) => cell?.toFixed(2))]
  })
  expect(told).toEqual(measured)
})

it('names the versions that are compared, on every page', () => {
  for (const name of ['aws4fetch', 'aws-sigv4-fetch', 'aws4-axios'])
    expect(head).toContain(`${name} ${versionOf(name)}`)
  for (const { text } of pages) {
    // Benches name what they measured.
    const own = text.replace(/<!-- bench -->[\s\S]*<!-- \/bench -->/, '')
    for (const [, name = '', version] of own.matchAll(/(@?[a-z][\w/-]*)`? (\d+\.\d+\.\d+)/g)) {
      const installed = versionOf(name)
      if (installed !== undefined) expect(`${name} ${version}`).toBe(`${name} ${installed}`)
    }
  }
})

it('has a probe for each row but the last two', () => {
  expect(rows.map(([name]) => name).slice(0, -2)).toEqual(Object.keys(probes))
})
