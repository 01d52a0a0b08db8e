import { expect, it } from 'vitest'
import { runFreezes } from './freezes/freezes.ts'

it.each(['http', 'https'] as const)(
  'no call is lost or sent twice by a freeze that ends its connections, over %s',
  { timeout: 30_000 },
  async (protocol) => {
    const { problems, ended } = await runFreezes(protocol, 30)
    expect(problems).toEqual([])
    // That it has happened.
    expect(ended).toBeGreaterThan(20)
  },
)
