/** Phrases of problems that other code recognises, to add advice or to name an option differently. */
export const URL_NOT_SET = 'API Gateway URL not set'
export const NO_CREDENTIALS = 'no credentials: '
export const OPTION_DIFFERS = 'but the option says'
export const SET_REGION_AND_SIGNING_NAME = 'set region and signingName'
export const OPTION_ALLOW_HTTP = 'the option allowHttp'
