"""Hold together what is said of commands and options: options.py JL SOURCE

For every command that `jl help` lists, the program's --help, what it accepts, its manual page and its completion must name the
same options, with an argument or without, and the same words where an argument is one of several. Every command is in
jl(1), every key of the manifest in joblib.yaml(5).
Every line `jl COMMAND ...` of the README, of docs and of the manual names options that there are. Prints what does not
agree; exit status 1 then.
"""
import glob
import json
import os
import re
import shlex
import subprocess
import sys

JL, SOURCE = sys.argv[1:]
IN_JL_1 = {"help", "version"}  # commands whose manual is jl(1) itself
faults = []


def jl(*words):
    return subprocess.run([JL, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)


class Option:
    """One row: its letter or '', whether it takes an argument, the words that this must be one of."""

    def __init__(self, letter, arg):
        self.letter, self.arg = letter, arg
        text = (arg or "").strip("[=]").partition("[")[0]
        self.words = [w for w in text.split("|") if re.fullmatch("[a-z0-9]+", w)] if "|" in text else []


def of_help(command):
    options = {}
    for line in jl(command, "--help").stdout.split("Options:\n")[1].splitlines():
        m = re.match(r"  (?:-(.), |    )--([a-z][a-z-]*)(\[=[^\]]*\]| [^ ]+)?(  |$)", line)
        if m:
            options[m[2]] = Option(m[1] or "", (m[3] or "").strip() or None)
        elif not line.startswith(" " * 28):
            faults.append(f"jl {command} --help: what is this: {line}")
    return options


def of_manual(command):
    """{long name: (letter, takes an argument, text of its item)}"""
    options, items = {}, []
    for line in open(f"{SOURCE}/docs/man/jl-{command}.1"):
        if line.startswith(".It Fl "):
            items.append([line[4:], line])
        elif line.startswith((".It ", ".Sh ", ".Ss ", ".El")):
            items.append(["", ""])
        elif items:
            items[-1][1] += line
    for head, text in items:
        letter = ""
        for part in re.split(r" , (?=Fl)", head.strip()) if head else []:
            words = part.split(" ")
            name, rest = words[1], words[2:]
            if name.startswith("-"):
                if name[1:] in options:
                    faults.append(f"jl-{command}.1: {name} stands there twice")
                options[name[1:]] = (letter, bool(rest), text)
                letter = ""
            else:
                letter = name
    return options


def of_completion(command):
    words = [line.split("\t") for line in jl("completion", "bash", "--", command, "-").stdout.splitlines()]
    return {w[1]: w[2] for w in words if w[0] == "word"}


def same(command, what, got, want):
    for name in sorted(want - got):
        faults.append(f"{what} lacks {name} of jl {command}")
    for name in sorted(got - want):
        faults.append(f"{what} has {name}, which jl {command} does not take")


def check_command(command):
    options = of_help(command)
    names = {"--" + name for name in options}
    letters = {"-" + o.letter for o in options.values() if o.letter}
    completed = of_completion(command)
    same(command, "completion", set(completed), names | letters)
    for name, o in options.items():
        # "--name" where an argument is missing is told as that, "--name=" where there is none, too.
        if o.arg is None or o.arg.startswith("["):
            r = jl(command, f"--{name}", "--help")
        else:
            r = jl(command, f"--{name}=/", "--help")
        if "unknown option" in r.stderr or (o.arg is None and r.returncode):
            faults.append(f"jl {command} --{name}: {r.stderr.strip()}")
        if o.words:
            line = jl("completion", "bash", "--", command, f"--{name}=").stdout.splitlines()
            same(command, f"completion of --{name}=", {w.split("\t")[1].split("=", 1)[1] for w in line}, set(o.words))
    if command in IN_JL_1:
        return options
    page = of_manual(command)
    same(command, f"jl-{command}.1", {"--" + name for name in page}, names)
    for name, (letter, arg, text) in page.items():
        o = options.get(name)
        if o is None:
            continue
        if letter != o.letter:
            faults.append(f'jl-{command}.1: the letter of --{name} is "{letter}"; jl has "{o.letter}"')
        if arg != bool(o.arg):
            faults.append(f"jl-{command}.1: --{name} with an argument or without: jl has it the other way")
        for word in o.words:
            if not re.search(rf"(^| ){word}([ ,.]|$)", text, re.M):
                faults.append(f"jl-{command}.1: --{name} may be {word}; its item does not say so")
    return options


def check_pages(commands):
    text = open(f"{SOURCE}/docs/man/jl.1").read()
    listed = set(re.findall(r"^\.It Cm ([a-z]+)$", text, re.M))
    see = text.split(".Sh SEE ALSO")[1]
    same("", "jl(1)", listed, set(commands))
    for command in commands:
        if command not in IN_JL_1 and f".Xr jl-{command} 1" not in see:
            faults.append(f"jl(1): SEE ALSO lacks jl-{command}")
    for path in glob.glob(f"{SOURCE}/docs/man/jl-*.1"):
        name = os.path.basename(path)[3:-2]
        if name not in commands:
            faults.append(f"{path}: there is no command jl {name}")
    pages = {os.path.basename(path) for path in glob.glob(f"{SOURCE}/docs/man/*.[1-8]")}
    for path in glob.glob(f"{SOURCE}/docs/man/*.[1-8]"):
        for name, section in re.findall(r"^\.Xr ((?:jl|joblib)\S*) (\d)", open(path).read(), re.M):
            if f"{name}.{section}" not in pages:
                faults.append(f"{path}: refers to {name}({section}), which there is not")


def check_manifest():
    """Every key that the reader takes has its place in joblib.yaml(5)."""
    text = open(f"{SOURCE}/docs/man/joblib.yaml.5").read()
    found = set()

    def walk(value):
        if isinstance(value, dict):
            for key, rule in value.get("properties", {}).items():
                if {"not": {}} not in rule.get("allOf", []):
                    found.add(key)
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(json.loads(jl("schema").stdout))
    for key in sorted(found):
        if not re.search(rf"\b{key}\b", text):
            faults.append(f"joblib.yaml.5 lacks {key}")


def check_line(where, command, prefix, options, rest):
    try:
        words = shlex.split(rest, comments=True)
    except ValueError:  # a quote ends on another line
        words = rest.split()
    letters = {o.letter: o for o in options.values() if o.letter}
    while words:
        word = words.pop(0)
        if word == "--" or (prefix and not word.startswith("-")):
            return
        if re.fullmatch("--[a-z-]+(=.*)?", word):
            name, equals, _ = word[2:].partition("=")
            o = options.get(name)
            if o and o.arg and not o.arg.startswith("[") and not equals and words:
                words.pop(0)
        elif re.fullmatch("-[A-Za-z0-9].*", word):
            o = letters.get(word[1])
            if o and o.arg and not word[2:] and words:
                words.pop(0)
        else:
            continue
        if o is None:
            faults.append(f"{where}: jl {command} takes no {word}")


def check_texts(commands):
    paths = [f"{SOURCE}/README.md", f"{SOURCE}/joblib.yaml.example", *glob.glob(f"{SOURCE}/docs/*.md"),
             *glob.glob(f"{SOURCE}/docs/man/*.[1-8]"), f"{SOURCE}/cmd/init.c"]
    for path in paths:
        for number, line in enumerate(open(path), 1):
            # A command stands in code: behind a backtick, a prompt, or at the start of a line of a block.
            for m in re.finditer(r"(?:^[\t $#*]*|[`;|&(] *|\.Dl \$ |\.Ql )jl ([a-z]+)\b([^`|;&\n]*)", line):
                if m[1] in commands:
                    where = f"{os.path.relpath(path, SOURCE)}:{number}"
                    check_line(where, m[1], m[1] in ("map", "memo"), commands[m[1]], m[2].replace("\\n", ""))


names = re.findall(r"^  ([a-z]+) +[A-Z]", jl("help").stdout, re.M)
if len(names) < 18:
    faults.append(f"jl help lists only {names}")
found = {name: check_command(name) for name in names
         if name in IN_JL_1 or os.path.exists(f"{SOURCE}/docs/man/jl-{name}.1") or
         faults.append(f"jl {name} has no manual page docs/man/jl-{name}.1")}
check_pages(names)
check_manifest()
check_texts(found)
print("\n".join(faults))
sys.exit(1 if faults else 0)
