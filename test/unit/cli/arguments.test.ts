import { describe, expect, it } from 'vitest'
import { readArguments } from '../../../src/cli/arguments.ts'
import { HELP } from '../../../src/cli/help.ts'
import { UsageError } from '../../../src/cli/usage-error.ts'

const call = (...args: string[]) => readArguments(['call', ...args])

describe('call', () => {
  it.each([
    [['ai'], { target: 'ai', method: 'GET', path: '' }],
    [['ai', 'jobs/7'], { method: 'GET', path: 'jobs/7' }],
    [['ai', 'DELETE', '/jobs/7'], { method: 'DELETE', path: '/jobs/7' }],
    [['ai', 'put'], { method: 'PUT', path: '' }],
    [['ai', 'jobs', '-d', '{}'], { method: 'POST', path: 'jobs', data: '{}' }],
    [['ai', 'PATCH', 'jobs', '--data', '-'], { method: 'PATCH', data: '-' }],
    [
      ['ai', '-q', 'a=b=c', '-q', 'd='],
      {
        query: [
          ['a', 'b=c'],
          ['d', ''],
        ],
      },
    ],
    [['ai', '--timeout', '5', '--retry', '0'], { timeout: 5, retry: 0 }],
    [['ai', '--timeout=0'], { timeout: false }],
    [['ai', '-iv', '-o', 'file'], { include: true, verbose: true, output: 'file' }],
    [['ai', '--allow-http', '--region', 'eu-west-1'], { allowHttp: true, region: 'eu-west-1' }],
    [
      ['ai', '--signing-name', 'lambda', '--host', 'h', '--profile', 'p'],
      { signingName: 'lambda', host: 'h', profile: 'p' },
    ],
    [['ai', '--env-file', '.env'], { envFile: '.env', allowHttp: false, timeout: 30_000, retry: 2 }],
    [['--data=-1', 'ai'], { data: '-1' }],
    [['ai', '--timeout', '2147483647', '--retry', '100'], { timeout: 2_147_483_647, retry: 100 }],
  ])('reads %j', (args, expected) => {
    expect(call(...args)).toMatchObject({ kind: 'call', ...expected })
  })

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])('reads the method %s', (method) => {
    expect(call('ai', method, '/jobs')).toMatchObject({ method, path: '/jobs' })
    expect(call('ai', method.toLowerCase())).toMatchObject({ method, path: '' })
  })

  it('collects headers', () => {
    const { headers } = call('ai', '-H', 'x-a: b', '-H', 'X-A:c', '--header', 'x-empty:') as { headers: Headers }
    expect([...headers]).toEqual([
      ['x-a', 'b, c'],
      ['x-empty', ''],
    ])
  })

  it.each([
    [[], 'call: the name of a service or a URL is missing'],
    [['ai', 'GET', 'a', 'b'], "call: too many arguments; got 'b' after the path"],
    [['ai', 'DELET', '/jobs'], 'no such method: DELET; did you mean DELETE?'],
    [['ai', 'frobnicate', '/jobs'], 'no such method: frobnicate'],
    [['ai', '--tiemout', '3'], 'no such option: --tiemout; did you mean --timeout?'],
    [['ai', '--zzz'], 'no such option: --zzz'],
    [['ai', '-x'], 'no such option: -x'],
    [['ai', '--no-verbose'], 'no such option: --no-verbose; did you mean --verbose?'],
    [['ai', '--verbose=yes'], '--verbose takes no value'],
    [['ai', '--region'], '--region needs a value'],
    [['ai', '--region', '--verbose'], '--region needs a value'],
    [['ai', '--region', '-v'], '--region needs a value'],
    [['ai', '-d', '-V'], '-d needs a value'],
    [['ai', '-d', '-1'], '-d needs a value'],
    [['ai', '-d', '--', '1'], '-d needs a value'],
    [['ai', '-d', '{}', 'GET', '/x'], '-d: GET takes no body'],
    [['ai', '-d', '{}', 'HEAD', '/x'], '-d: HEAD takes no body'],
    [['ai', '-H', 'no colon'], "-H: must be 'name: value'"],
    [['ai', '-H', 'x a: b'], "-H: must be 'name: value'"],
    [['ai', '-H', 'x-a: secret €'], '-H: not a valid header'],
    [['ai', '-q', '=b'], '-q: must be name=value'],
    [['ai', '--timeout', 'soon'], "--timeout: must be a whole number from 0 to 2147483647; got 'soon'"],
    [['ai', '--timeout', '5s'], "--timeout: must be a whole number from 0 to 2147483647; got '5s'"],
    [['ai', '--timeout=-5'], "--timeout: must be a whole number from 0 to 2147483647; got '-5'"],
    [['ai', '--timeout', '2147483648'], "--timeout: must be a whole number from 0 to 2147483647; got '2147483648'"],
    [['ai', '--retry', '1e1'], "--retry: must be a whole number from 0 to 100; got '1e1'"],
    [['ai', '--retry', '101'], "--retry: must be a whole number from 0 to 100; got '101'"],
  ])('refuses %j', (args, message) => {
    expect(() => call(...args)).toThrow(new UsageError(message))
  })
})

describe('doctor', () => {
  it.each([
    [[], { targets: [], path: '/health', whoami: false, json: false, timeout: 10_000 }],
    [
      ['ai', 'admin', '--path', 'up', '--whoami', '--json'],
      { targets: ['ai', 'admin'], path: 'up', whoami: true, json: true },
    ],
  ])('reads %j', (args, expected) => {
    expect(readArguments(['doctor', ...args])).toMatchObject({ kind: 'doctor', ...expected })
  })

  it('has no options of call', () => {
    expect(() => readArguments(['doctor', '--include'])).toThrow('no such option: --include')
  })
})

describe('help', () => {
  it.each([
    [['--help'], 'general'],
    [['-h'], 'general'],
    [['call', '--help'], 'call'],
    [['call', 'ai', '-h'], 'call'],
    [['doctor', '--help'], 'doctor'],
  ])('is asked for by %j', (args, topic) => {
    expect(readArguments(args)).toEqual({ kind: 'help', topic })
  })

  it.each(Object.entries(HELP))('of %s fits a screen', (_, text) => {
    const lines = text.trimEnd().split('\n')
    expect(lines.length).toBeLessThanOrEqual(24)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
  })

  it.each([
    ['call', ['ai']],
    ['doctor', []],
  ] as const)('of %s names every option', (topic, args) => {
    const known = HELP[topic].matchAll(/--([a-z-]+)(?: <)?/g)
    for (const [option, name] of known) {
      if (name === 'help') continue
      const given = option.endsWith('<')
        ? [`--${name}`, name === 'query' ? 'a=b' : name === 'header' ? 'a: b' : '1']
        : [`--${name}`]
      expect(readArguments([topic, ...args, ...given]).kind).toBe(topic)
    }
  })
})

describe('the command', () => {
  it('prints its version', () => expect(readArguments(['--version'])).toEqual({ kind: 'version' }))

  it.each([
    [[], 'a command is missing: call or doctor'],
    [['cal'], 'no such command: cal; did you mean call?'],
    [['docter'], 'no such command: docter; did you mean doctor?'],
    [['--hlep'], 'no such option: --hlep; did you mean --help?'],
    [['--versoin'], 'no such option: --versoin; did you mean --version?'],
    [['frobnicate'], 'no such command: frobnicate'],
  ])('refuses %j', (args, message) => {
    expect(() => readArguments(args)).toThrow(new UsageError(message))
  })
})
