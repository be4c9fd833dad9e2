# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Completion for bash. What there is to complete comes from the command's own help,
# so that this knows each new option.

_mvmm() {
	local word=${COMP_WORDS[COMP_CWORD]} help words

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		help=$("${COMP_WORDS[0]}" --help 2>/dev/null)
		words=$(sed -n 's/^  \([a-z]*\) .*/\1/p' <<<"$help")
	elif [[ $word == -* ]]; then
		help=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" --help 2>/dev/null)
		# Not those that the text speaks of
		words=$(sed -nE 's/^ +(-., )?(--[a-z-]+).*/\2/p' <<<"$help" |
			sort -u)
	elif [ "$COMP_CWORD" = 2 ] && [[ ${COMP_WORDS[1]} =~ ^(disk|raid)$ ]]; then
		help=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" --help 2>/dev/null)
		words=$(sed -n 's/^\(Usage\|  or\):.*\] \([a-z|]*\) .*/\2/p' <<<"$help" |
			tr '|' '\n')
	else
		# Values are files, but for a few
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -o filenames -F _mvmm mvmm
