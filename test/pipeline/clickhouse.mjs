// Answers SQL with ClickHouse in this process. Each line of standard input is a JSON string, one statement; each line of
// standard output is {"columns": [...], "rows": [[...], ...]}, values as strings and NULL as null, or {"error": "..."}.
// The arguments are the directory of the data and, perhaps, a configuration file.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

const { Session } = createRequire(import.meta.url)('chdb');
const [directory, config] = process.argv.slice(2);
const session = new Session(directory, {
  connectionArgs: ['--output_format_json_quote_64bit_integers=1', ...(config ? [`--config-file=${config}`] : [])],
});

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
