/** Each text fits a screen of 24 lines of 80 columns. */

const general = `Usage: middy-signed-services <command> [options]

Commands:
  call <service | URL> [METHOD] [path]   Send one signed request.
  doctor [service...]                    Check credentials and services.

Options:
  -h, --help      Show this text, or the help of a command.
      --version   Show the version.

Exit codes: 0 success, 1 a failed call or check, 2 wrong usage.
`

const call = `Usage: middy-signed-services call <service | URL> [METHOD] [path] [options]

Sends a signed request to a URL, or to a service whose URL is in the variable
<NAME>_SERVICE_API_URL. METHOD is GET by default, POST with -d.

  -d, --data <text>        Request body: text, @file, or - for stdin
  -H, --header <n: v>      Header, repeatable
  -q, --query <name=value> Query parameter, repeatable
      --region <region>    Region to sign for (default: from the host)
      --signing-name <s>   AWS service to sign for, such as execute-api
      --host <host>        Host to sign for, behind a tunnel or a VPC endpoint
      --profile <name>     Profile of the AWS configuration files
      --env-file <file>    File with variables (existing variables win)
      --timeout <ms>       Timeout of an attempt (default 30000, 0: none)
      --retry <n>          Retries (default 2)
  -i, --include            Print status and headers of the response
  -v, --verbose            Print canonical request, string to sign, timings
  -o, --output <file>      Write the body to a file (default: standard output)
      --allow-http         Allow plain http to any host
  -h, --help               Show this text

Exit codes: 0 status 2xx, 1 another status or a failed call, 2 wrong usage.
`

const doctor = `Usage: middy-signed-services doctor [service | URL...] [options]

Checks the given services, or all with a variable <NAME>_SERVICE_API_URL: URL,
kind and region, DNS, connection, certificate, clock, credentials, and a signed
request.

      --path <path>        Path of the signed GET (default /health)
      --whoami             Ask STS who the caller is
      --json               Print the report as JSON
      --region <region>    Region to sign for (default: from the host)
      --signing-name <s>   AWS service to sign for, such as execute-api
      --host <host>        Host to sign for, behind a tunnel or a VPC endpoint
      --profile <name>     Profile of the AWS configuration files
      --env-file <file>    File with variables (existing variables win)
      --timeout <ms>       Timeout of each step (default 10000, 0: none)
      --allow-http         Allow plain http to any host
  -h, --help               Show this text

Exit codes: 0 all checks passed, 1 a check warns or fails, 2 wrong usage.
`

export const HELP: Readonly<Record<'general' | 'call' | 'doctor', string>> = { general, call, doctor }
