import { describe, expect, it } from 'vitest'
import * as errors from '../../src/errors/service-errors.ts'
import { pageAt, tableOf } from './pages.ts'

const page = pageAt('docs/troubleshooting.md')
const bare = (cell = '') => cell.replaceAll('`', '')

const CALL = { service: 'ai', method: 'GET', path: '/', attempts: 1 }
const DETAILS = {
  status: 500,
  data: undefined,
  headers: new Headers(),
  requestId: 'id',
  reason: 'forbidden',
  hint: 'hint',
  quota: false,
  retryAfterMs: 1,
  timeoutMs: 1,
  deadline: false,
  networkCode: 'ECONNRESET',
  cause: 'cause',
}

/** An error of each class, with everything that one can have. */
const examples = Object.entries(errors)
  .filter(([name, value]) => typeof value === 'function' && name !== 'ServiceError')
  .map(([name, value]) => {
    const ErrorClass = value as new (...args: unknown[]) => Error & { code: string; statusCode?: number }
    return name === 'ServicesConfigurationError' ? new ErrorClass([]) : new ErrorClass(CALL, 'problem', DETAILS)
  })

/** What is not written down for each class. */
const COMMON = ['stack', 'message', 'name', 'code', 'cause', ...Object.keys(CALL), 'requestId', 'statusCode', 'expose']

function ownMembers(error: Error): string[] {
  const isDerived = error instanceof errors.ServiceResponseError && error.name !== 'ServiceResponseError'
  const inherited = isDerived ? ['status', 'data', 'headers'] : []
  return Object.getOwnPropertyNames(error).filter((name) => ![...COMMON, ...inherited].includes(name))
}

describe('the page on errors', () => {
  it('has each class with its code, its members and its status', () => {
    const listed = tableOf(page, 'class', '`code`').map(([name, code, , members = '', statusCode]) => {
      const names = members.split(';').map((member) => /`(\w+)`/.exec(member)?.[1] ?? '')
      return [bare(name), bare(code), names.filter(Boolean).toSorted(), statusCode]
    })
    const real = examples.map((error) => [
      error.name,
      error.code,
      ownMembers(error).toSorted(),
      String(error.statusCode ?? ''),
    ])
    expect(listed.toSorted()).toEqual(real.toSorted())
  })

  it('names every member that all of them have', () => {
    const named = tableOf(page, 'member', 'meaning').flatMap(([cell = '']) => cell.split(', ').map(bare))
    expect(named.toSorted()).toEqual(COMMON.filter((name) => !['stack', 'message'].includes(name)).toSorted())
  })

  it('has no symptom in its index that is not explained', () => {
    const [, afterIndex = ''] = page.text.split('\n## How to read a message\n')
    // The messages of requests that the client refuses.
    const explained = afterIndex + pageAt('docs/security.md').text
    for (const [symptoms = ''] of tableOf(page, 'message or symptom', 'section')) {
      for (const [, symptom = ''] of symptoms.matchAll(/`([^`]+)`/g)) {
        for (const part of symptom.split('...')) expect(explained).toContain(part.trim())
      }
    }
  })
})
