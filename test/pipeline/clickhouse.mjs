// Answers SQL with ClickHouse in this process. Each line of standard input is a JSON string, one statement; each line of
// standard output is {"columns": [...], "rows": [[...], ...]}, values as strings and NULL as null, or {"error": "..."}.
// The argument is the directory of the data.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

const { Session } = createRequire(import.meta.url)('chdb');
const session = new Session(process.argv[2], { connectionArgs: ['--output_format_json_quote_64bit_integers=1'] });

function answer(sql) {
  const text = session.query(sql, 'JSONCompact'); // 64-bit integers come quoted
  if (text.trim() === '') return { columns: [], rows: [] };
  const { meta, data } = JSON.parse(text);
  return { columns: meta.map((column) => column.name), rows: data.map((row) => row.map((value) => (value === null ? null : String(value)))) };
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = answer(JSON.parse(line));
  } catch (error) {
    reply = { error: String(error.message ?? error) };
  }
  process.stdout.write(JSON.stringify(reply) + '\n');
}
session.close();
