# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Completion for bash. What there is to complete comes from the command's own help,
# so that this knows each new option.

# Sets $words to what may stand at the end of a value of an option of mvmm run, and
# cuts $before off $word. False: a file. bash has cut the value into pieces at "=" and
# ":"; $word is the last one
_mvmm_value() {
	local i value text argument

	for ((i = COMP_CWORD - 1; i > 1; i--)); do
		[[ ${COMP_WORDS[i]} == --* ]] && break
	done
	printf -v value %s "${COMP_WORDS[@]:i+1:COMP_CWORD-i}"
	value=${value#=}
	# All that the help says of this option
	text=$("${COMP_WORDS[0]}" run --help 2>/dev/null |
		awk -v option=" ${COMP_WORDS[i]}=" \
			'/^ +(-., )?--/ { on = index($0, option) } on' |
		tr -s ' \n' ' ')
	argument=${text#*=}
	argument=${argument%% *}
	if [ "${COMP_WORDS[i]}" = --device ]; then
		if [[ $value == *,* ]]; then
			words=$("${COMP_WORDS[0]}" run --device "${value%%,*},help" \
				2>/dev/null | sed -nE 's/^  ([a-z-]+=).*/\1/p')
		else
			words=$("${COMP_WORDS[0]}" run --device help 2>/dev/null |
				sed 's/ .*//')
		fi
	elif [[ ${COMP_WORDS[i]} == --disk && $value == *,* ]]; then
		words=$("${COMP_WORDS[0]}" run --disk help 2>/dev/null |
			sed -nE 's/^  ([a-z-]+)=off.*/\1/p; s/^  ([a-z-]+=).*/\1/p')
	elif [[ $value == *,* && $argument == *,* ]]; then
		words=$(grep -oE '[,|][a-z]+=?' <<<"$text" | tr -d ',|' |
			sort -u)
	elif [[ $argument == KIND* ]]; then
		words=$(sed -E 's/.*next NIC: //; s/, | or /\n/g' <<<"$text" |
			sed -E 's/\[.*//; s/=.*/=/')
	elif [[ $argument =~ ^[a-z|]+$ ]]; then
		words=${argument//|/$'\n'}
	fi
	# In "a=b" and "a:b" only what stands before is known
	[[ -n $words && ${value##*,} != *[=:]* ]] || return
	word=${word#=}
	before=${word%"${word##*,}"}
	word=${word##*,}
}

_mvmm() {
	local word=${COMP_WORDS[COMP_CWORD]} help words before=

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		help=$("${COMP_WORDS[0]}" --help 2>/dev/null)
		words=$(sed -n 's/^  \([a-z-]*\) .*/\1/p' <<<"$help")
	elif [[ $word == -* ]]; then
		help=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" --help 2>/dev/null)
		# Not those that the text speaks of
		words=$(sed -nE 's/^ +(-., )?(--[a-z-]+).*/\2/p' <<<"$help" |
			sort -u)
	elif [ "$COMP_CWORD" = 2 ] && [[ ${COMP_WORDS[1]} =~ ^(disk|raid)$ ]]; then
		help=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" --help 2>/dev/null)
		words=$(sed -n 's/^\(Usage\|  or\):.*\] \([a-z|]*\) .*/\2/p' <<<"$help" |
			tr '|' '\n')
	elif [ "$COMP_CWORD" = 3 ] && [ "${COMP_WORDS[1]}" = switch ]; then
		# The second one is a name
		help=$("${COMP_WORDS[0]}" switch --help 2>/dev/null)
		words=$(sed -nE 's/^  ([a-z-]+) .*/\1/p' <<<"$help" | sort -u)
	elif [ "${COMP_WORDS[1]}" = run ] && _mvmm_value; then
		# Else "=" would be quoted, as in the name of a file
		compopt +o filenames 2>/dev/null
	else
		# Values are files, but for a few
		mapfile -t COMPREPLY < <(compgen -f -- "${word#=}")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	COMPREPLY=("${COMPREPLY[@]/#/"$before"}")
	# A value, or an option of a device, goes on
	if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
		compopt -o nospace 2>/dev/null
	fi
}

complete -o filenames -F _mvmm mvmm
