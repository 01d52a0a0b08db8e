import { expect, jest, test } from '@jest/globals'

const mockInvoke = jest.fn(async (..._args: unknown[]) => ({ draftId: 'd-1' }))
jest.mock('middy-signed-services/request-signer', () => ({ invokeIntegrationService: mockInvoke }))

test('saves a draft through the integration service', async () => {
  const { saveDraft } = await import('../functions/save-draft.ts')
  const draft = { title: 'Title', text: 'Text' }
  expect(await saveDraft(draft)).toBe('d-1')
  expect(mockInvoke).toHaveBeenCalledWith('/drafts', 'POST', draft)
})
