/* jl completion: scripts for the shells, and what they ask. The scripts know nothing of commands and options: at each press of
 * the key they ask the jl that stands on the line, so that they never differ from it. */
#include "complete.h"

#include <string.h>

static const struct jl_opt *const tables[] = {jl_opts_help, NULL};

static const char bash[] =
	"# bash completion for jl, written by \"jl completion bash\".\n"
	"_jl() {\n"
	"	local rest=${COMP_LINE:0:COMP_POINT} words=() first=() i w blank raw cur head breaks kind text ask at path pre\n"
	"	# bash ends words at = : @ too; what stands together is one word to jl.\n"
	"	for ((i = 0; i <= COMP_CWORD; i++)); do\n"
	"		blank=${rest%%[![:space:]]*}\n"
	"		rest=${rest#\"$blank\"}\n"
	"		w=${COMP_WORDS[i]}\n"
	"		if ((i == COMP_CWORD)); then w=$rest; fi\n"
	"		rest=${rest#\"$w\"}\n"
	"		if [[ $blank || $i == 0 ]]; then\n"
	"			words+=(\"\") first+=(\"$i\") raw=\n"
	"		fi\n"
	"		raw+=$w\n"
	"		w=${w//[\\\\\\\"\\']/}\n"
	"		words[${#words[@]} - 1]+=$w\n"
	"	done\n"
	"	cur=${words[${#words[@]} - 1]}\n"
	"	words=(\"${words[@]/#\\~\\//$HOME/}\")\n"
	"	# Only what stands behind the last of them is replaced; within quotes it is all.\n"
	"	breaks=${COMP_WORDBREAKS//[^=:]/} head=\n"
	"	if [[ $raw != [\\\"\\']* ]]; then\n"
	"		if [[ $breaks ]]; then head=${cur%\"${cur##*[\"$breaks\"]}\"}; fi\n"
	"		text=${cur#\"$head\"}\n"
	"		# An @ begins what is replaced.\n"
	"		if [[ $COMP_WORDBREAKS == *@* && $text == *@* ]]; then head+=${text%@*}; fi\n"
	"	fi\n"
	"	COMPREPLY=()\n"
	"	while IFS=$'\\t' read -r kind text _; do\n"
	"		case $kind in\n"
	"		word)\n"
	"			text=${text#\"$head\"}\n"
	"			if [[ $raw != [\\\"\\']* ]]; then printf -v text %q \"$text\"; fi\n"
	"			COMPREPLY+=(\"$text\") ;;\n"
	"		*) ask=$kind at=$text ;;\n"
	"		esac\n"
	"	done < <(command \"${words[0]}\" completion bash -- \"${words[@]:1}\" 2>/dev/null)\n"
	"	if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi\n"
	"	case ${ask-} in\n"
	"	file | folder)\n"
	"		path=${cur:at} pre=${cur:0:at}\n"
	"		pre=${pre#\"$head\"}\n"
	"		if [[ ${#COMPREPLY[@]} == 0 && -z $pre ]]; then\n"
	"			# Nobody knows files better than readline.\n"
	"			if [[ $ask == folder ]]; then compopt +o default -o dirnames; fi\n"
	"			return\n"
	"		fi\n"
	"		kind=f\n"
	"		if [[ $ask == folder ]]; then kind=d; fi\n"
	"		while IFS= read -r path; do\n"
	"			printf -v text %q \"$path\"\n"
	"			if [[ -d $path ]]; then text+=/; fi\n"
	"			COMPREPLY+=(\"$pre$text\")\n"
	"		done < <(compgen -\"$kind\" -- \"$path\")\n"
	"		if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace; fi ;;\n"
	"	program)\n"
	"		mapfile -t COMPREPLY < <(compgen -c -- \"${cur:at}\") ;;\n"
	"	command)\n"
	"		i=${first[at + 1]}\n"
	"		if declare -F _comp_command_offset >/dev/null; then\n"
	"			_comp_command_offset \"$i\"\n"
	"		elif declare -F _command_offset >/dev/null; then\n"
	"			_command_offset \"$i\"\n"
	"		elif ((i == COMP_CWORD)); then\n"
	"			mapfile -t COMPREPLY < <(compgen -c -- \"$cur\")\n"
	"		fi\n"
	"		return ;;\n"
	"	esac\n"
	"	if ((${#COMPREPLY[@]} == 0)); then compopt +o default; fi\n"
	"}\n"
	"complete -o default -o nosort -F _jl jl\n";

static const char zsh[] =
	"#compdef jl\n"
	"# zsh completion for jl, written by \"jl completion zsh\".\n"
	"_jl() {\n"
	"	local line ask at\n"
	"	local -a before parts items open\n"
	"	before=(\"${(@Q)words[2,CURRENT-1]}\" \"${(Q)PREFIX}\")\n"
	"	before=(\"${(@)before/#\\~\\//$HOME/}\")\n"
	"	for line in \"${(@f)$(command ${~words[1]} completion zsh -- \"${(@)before}\" 2>/dev/null)}\"; do\n"
	"		parts=(\"${(@ps:\\t:)line}\")\n"
	"		case $parts[1] in\n"
	"		word)\n"
	"			line=\"${${parts[2]//\\\\/\\\\\\\\}//:/\\\\:}${parts[3]:+:$parts[3]}\"\n"
	"			if [[ $parts[2] == *= ]]; then open+=(\"$line\"); else items+=(\"$line\"); fi ;;\n"
	"		?*) ask=$parts[1] at=$parts[2] ;;\n"
	"		esac\n"
	"	done\n"
	"	(( $#items )) && _describe -V -t jl-words 'jl' items\n"
	"	(( $#open )) && _describe -V -t jl-words 'jl' open -S ''\n"
	"	case $ask in\n"
	"	file) compset -p $at; _files ;;\n"
	"	folder) compset -p $at; _files -/ ;;\n"
	"	program) compset -p $at; _command_names -e ;;\n"
	"	command)\n"
	"		shift $(( at + 1 )) words\n"
	"		(( CURRENT -= at + 1 ))\n"
	"		_normal ;;\n"
	"	*) (( $#items + $#open )) ;;\n"
	"	esac\n"
	"}\n"
	"if [[ $funcstack[1] == _jl ]]; then _jl \"$@\"; else compdef _jl jl; fi\n";

static const char fish[] =
	"# fish completion for jl, written by \"jl completion fish\".\n"
	"function __jl_complete\n"
	"	set -l before (commandline -opc)\n"
	"	set -l jl $before[1]\n"
	"	set -e before[1]\n"
	"	set -l raw (commandline -ct)\n"
	"	test -n \"$before\"; and set before (string replace -r '^~/' -- $HOME/ $before)\n"
	"	set -l current (string unescape -- $raw; or echo -- $raw)\n"
	"	test -n \"$current\"; or set current ''\n"
	"	for line in (command $jl completion fish -- $before $current 2>/dev/null)\n"
	"		set -l parts (string split \\t -- $line)\n"
	"		set -l head (string sub -l (string match -r '^[0-9]+$' -- $parts[2]; or echo 0) -- $current)\n"
	"		set -l path (string replace -- \"$head\" '' $current)\n"
	"		switch $parts[1]\n"
	"			case word\n"
	"				printf '%s\\t%s\\n' $parts[2] \"$parts[3]\"\n"
	"			case file\n"
	"				printf \"$head%s\\n\" (__fish_complete_path $path)\n"
	"			case folder\n"
	"				printf \"$head%s\\n\" (__fish_complete_directories $path '')\n"
	"			case program\n"
	"				printf \"$head%s\\n\" (complete -C (string escape -- $path))\n"
	"			case command\n"
	"				set -l from (math $parts[2] + 1)\n"
	"				set -l rest\n"
	"				test $from -le (count $before); and set rest (string escape -- $before[$from..-1])\n"
	"				complete -C (string join ' ' -- $rest \"$raw\")\n"
	"		end\n"
	"	end\n"
	"end\n"
	"complete -c jl -f -k -a '(__jl_complete)'\n";

static const struct {
	const char *name, *script;
} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

static int run(struct jl_settings *s)
{
	struct jl_buf out = JL_BUF_INIT;
	const char *script = NULL;

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(shells[i].name, s->operands.at[0]) == 0)
			script = shells[i].script;
	if (!script) {
		jl_say("completion: there is none for \"%s\"; there are bash, zsh, fish", s->operands.at[0]);
		return JL_EXIT_USAGE;
	}
	if (s->operands.n > 1)
		jl_complete(s->operands.at + 1, s->operands.n - 1, &out);
	else
		jl_buf_str(&out, script);
	return jl_print_buf(&out);
}

const struct jl_command jl_command_completion = {
	.name = "completion",
	.operands = "bash|zsh|fish [-- WORD ...]",
	.summary = "Print a shell's completion script",
	.about = "For this shell only: source <(jl completion bash); the same for zsh, and in fish\n"
		 "jl completion fish | source. \"make install\" puts the scripts where the shells look.\n"
		 "With words: print what the last of them could be, which is what the scripts do.\n",
	.tables = tables,
	.min_operands = 1,
	.max_operands = UINT32_MAX,
	.run = run,
};
