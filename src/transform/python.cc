// See python.h. Lines of ours that run in Python: print() of the user's goes to stderr, for stdout
// carries rows; no file is written, and nothing is read from the environment (-I).
#include "transform/python.h"

#include <fmt/format.h>

#include <limits>

#include "base/child.h"
#include "base/json_full.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr const char* kPython = "python3";
constexpr std::chrono::seconds kCheckTime{30};

constexpr const char* kLoop = R"PY(
import gc, io, json, linecache, os, sys, types

def plain(value):
    for name in ('isoformat', 'tolist'):
        if hasattr(value, name):
            return getattr(value, name)()
    if type(value).__name__ in ('Decimal', 'UUID', 'timedelta'):
        return str(value)
    raise TypeError('a %s has no form in JSON' % type(value).__name__)

encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False,
                          separators=(',', ':'), default=plain).encode

# The encoder that encode() would make anew for each row; private, so only where it does the same.
try:
    pieces = json.encoder.c_make_encoder(None, plain, json.encoder.encode_basestring, None, ':', ',',
                                         False, False, False)
    if ''.join(pieces({'a': [1, None]}, 0)) != '{"a":[1,null]}':
        raise ValueError
    def text_of(row, join=''.join, pieces=pieces):
        return join(pieces(row, 0))
except Exception:
    text_of = encode

def refusal(text):
    return json.dumps({'_sluice_error': text[:2000]}).encode()

def told(error, path):
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    text = '%s: %s' % (type(error).__name__, error) if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return text
    return '%s (%s:%d)' % (text, path, line) if line else text

def answer_of(value):
    if isinstance(value, dict):
        return encode(dict(value)).encode()
    if isinstance(value, (list, tuple, types.GeneratorType)):
        rows = list(value)
        for row in rows:
            if not isinstance(row, dict):
                return refusal('the function returned a list with a %s in it; its items are dicts'
                               % type(row).__name__)
        return encode(rows).encode()
    return refusal('the function returned a %s; it returns a dict, a list of dicts or None'
                   % type(value).__name__)

def misfit(error):
    if isinstance(error, ValueError) and 'JSON' in str(error):
        return refusal('the function returned NaN or an infinite number; return None instead')
    return refusal('the function returned a value that is no row: %s' % error)

def answers_of(function, rows, path):
    answers = []
    add = answers.append
    for row in rows:
        try:
            value = function(row)
            if type(value) is not dict and isinstance(value, types.GeneratorType):
                value = list(value)
        except MemoryError:
            raise
        except Exception as error:
            add(refusal(told(error, path)))
            continue
        try:
            if type(value) is dict:
                add(text_of(value).encode())
            elif value is None:
                add(b'null')
            else:
                add(answer_of(value))
        except MemoryError:
            raise
        except Exception as error:
            add(misfit(error))
    return b'\n'.join(answers)

def main():
    rows = io.open(os.dup(0), 'rb', buffering=1 << 20)
    answers = io.open(os.dup(1), 'wb', buffering=1 << 20)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    gc.set_threshold(50_000, 20, 50)  # a batch makes thousands of dicts, and drops them all
    opening = json.loads(rows.readline())
    path, source = opening['path'], opening['source']
    module = types.ModuleType('function')
    module.__file__ = path
    sys.modules['function'] = module
    linecache.cache[path] = (len(source), None, source.splitlines(True), path)
    try:
        exec(compile(source, path, 'exec'), module.__dict__)
        function = getattr(module, opening['name'])
    except Exception as error:
        answers.write(refusal(told(error, path)) + b'\n')
        answers.flush()
        return
    answers.write(b'"ready"\n')
    answers.flush()
    for line in rows:
        answers.write(answers_of(function, json.loads(line), path))
        answers.write(b'\n')
        answers.flush()

main()
)PY";

constexpr const char* kCheck = R"PY(
import ast, json, sys

def names(target):
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]

def check(opening):
    try:
        tree = ast.parse(opening['source'], opening['path'])
    except SyntaxError as error:
        return {'error': 'this is no Python: %s' % error.msg, 'line': error.lineno or 1,
                'column': error.offset or 0}
    except ValueError as error:
        return {'error': 'this is no Python: %s' % error, 'line': 1, 'column': 0}
    wanted, found, defined, other = opening['name'], None, [], []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            defined.append(node.name)
            if node.name == wanted:
                found = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            other += [(alias.asname or alias.name).split('.')[0] for alias in node.names]
        elif isinstance(node, ast.Assign):
            other += [name for target in node.targets for name in names(target)]
        elif isinstance(node, (ast.AnnAssign, ast.ClassDef)):
            other += [node.name] if isinstance(node, ast.ClassDef) else names(node.target)
        elif not isinstance(node, ast.Expr):
            other += [child.name for child in ast.walk(node) if isinstance(child, ast.FunctionDef)]
    if found is None:
        return {} if wanted in other else {'missing': defined}
    if isinstance(found, ast.AsyncFunctionDef):
        return {'error': "'%s' is async; a function of rows is a plain def" % wanted,
                'line': found.lineno, 'column': found.col_offset + 1}
    given = found.args
    many = len(given.posonlyargs) + len(given.args)
    needed = many - len(given.defaults) + sum(1 for default in given.kw_defaults if default is None)
    if needed > 1 or (many < 1 and given.vararg is None):
        return {'error': "'%s' must take one argument, the row; it takes %d" % (wanted, needed),
                'line': found.lineno, 'column': found.col_offset + 1}
    return {}

print(json.dumps(check(json.loads(sys.stdin.readline()))))
)PY";

std::vector<std::string> Command(const char* program) {
  return {kPython, "-I", "-B", "-X", "utf8", "-c", program};
}

}  // namespace

std::vector<std::string> PythonCommand() { return Command(kLoop); }

std::string PythonOpening(const std::string& path, const std::string& source,
                          const std::string& name) {
  const Json json{{"path", path}, {"name", name}, {"source", source}};
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

Status CheckPython(const std::string& path, const std::string& source, const std::string& name,
                   const Mark& mark) {
  if (!ValidUtf8(source)) return ConfigError({path, 1, 0}, "this is no Python: it is not UTF-8");
  if (!FindProgram(kPython, ".")) {
    return ConfigError(mark,
                       "a function in Python needs python3, and there is none in PATH; install it, "
                       "or run a program of yours with command:");
  }
  auto child = TRY(Child::Start(Command(kCheck), "/", ChildLimits{}));
  std::vector<char> said;
  const std::string opening = PythonOpening(path, source, name);
  const auto answer = TRY(child->Say(
      {.say = opening, .lines = 1, .timeout = std::chrono::microseconds(kCheckTime)}, said, {}));
  auto json = ParseJson(Trim({said.data(), said.size()}));
  if (answer.end != Child::End::kAnswered || !json.ok()) {
    const std::string ended = child->HowItEnded();
    return ConfigError(mark, fmt::format("python3 could not read '{}' ({}): {}", path, ended,
                                         Trim(child->complaints())));
  }
  if (json->contains("error")) {
    return ConfigError({path, json->value("line", 1), json->value("column", 0)},
                       json->value("error", ""));
  }
  if (json->contains("missing")) {
    const auto defined = (*json)["missing"].get<std::vector<std::string>>();
    const auto nearest = Nearest(name, defined);
    return ConfigError(
        mark, fmt::format("'{}' defines no function '{}'; {}", path, name,
                          nearest           ? fmt::format("did you mean '{}'?", *nearest)
                          : defined.empty() ? "it defines none"
                                            : fmt::format("it defines: {}", Join(defined, ", "))));
  }
  return Ok();
}

}  // namespace sluice
