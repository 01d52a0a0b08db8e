import { invokeIntegrationService } from 'middy-signed-services/request-signer'
import { expect, it, vi } from 'vitest'
import { saveDraft } from '../functions/save-draft.ts'

vi.mock('middy-signed-services/request-signer')

it('saves a draft through the integration service', async () => {
  vi.mocked(invokeIntegrationService).mockResolvedValue({ draftId: 'd-1' })
  const draft = { title: 'Title', text: 'Text' }
  expect(await saveDraft(draft)).toBe('d-1')
  expect(invokeIntegrationService).toHaveBeenCalledExactlyOnceWith('/drafts', 'POST', draft)
})
