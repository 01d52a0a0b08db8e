import { expect, it, vi } from 'vitest'
import { prepareFailure } from '../../../src/errors/failure.ts'
import { createServices, type ServiceAuthError } from '../../../src/index.ts'
import { answer, IDENTITY, rejection } from '../../support/helpers.ts'

const load = vi.hoisted(() => vi.fn())

vi.mock('../../../src/errors/hint.ts', () => {
  load()
  throw new Error('cannot be imported here')
})

it('hints are not loaded for a failure without a response', async () => {
  await prepareFailure(new Error('x'))
  expect(load).not.toHaveBeenCalled()
})

it.each([
  [403, 'AccessDeniedException', 'ServiceAuthError', 'The hints of this package cannot be loaded.'],
  [429, 'TooManyRequestsException', 'ServiceThrottledError', undefined],
])(
  'a rejection with %d is the same error without its hint if hints cannot be loaded',
  async (status, type, name, hint) => {
    const { ai } = createServices({
      services: { ai: 'https://id.execute-api.eu-central-1.amazonaws.com/prod' },
      credentials: IDENTITY,
      retry: 0,
      fetch: async () =>
        answer('{"message":"no"}', {
          status,
          headers: { 'content-type': 'application/json', 'x-amzn-errortype': type },
        }),
    })
    const error = (await rejection(ai.post('x').json())) as ServiceAuthError
    expect(error).toMatchObject({ name, status })
    expect(error.hint).toBe(hint)
    expect(load).toHaveBeenCalled()
    expect(error.message).toBe([`ai: POST /x: ${status} ${type}: no`, hint].filter(Boolean).join('\n'))
  },
)
