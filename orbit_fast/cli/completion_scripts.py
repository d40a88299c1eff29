"""What shells are given so that they complete ``orbit``'s command line.

The scripts know nothing of options and commands: they ask ``orbit __complete``, which answers with a line that says
what the word at the cursor is (``words``, ``files``) and then with one way to go on a line (in zsh and fish with a tab
and its meaning). Files are left to the shell itself.
"""

from __future__ import annotations

from collections.abc import Mapping

_BASH = r"""# bash completion for orbit.  In ~/.bashrc:  eval "$(orbit completions bash)"
_orbit_complete() {
    local line kind= reply=()
    while IFS= read -r line; do
        if [[ -z $kind ]]; then kind=$line; else reply+=("$line"); fi
    done < <("${1/#\~\//$HOME/}" __complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" </dev/null 2>/dev/null)
    COMPREPLY=()
    if [[ $kind == files && ( ${#reply[@]} -eq 0 || -n $(compgen -f -- "$2") ) ]]; then
        compopt -o default 2>/dev/null
    elif [[ ${#reply[@]} -gt 0 ]]; then
        COMPREPLY=("${reply[@]}")
        if [[ ${#reply[@]} -eq 1 && ${reply[0]} == */ ]]; then
            compopt -o nospace 2>/dev/null
        fi
    fi
}
if type compopt >/dev/null 2>&1; then
    complete -F _orbit_complete orbit
else
    complete -o default -o nospace -F _orbit_complete orbit
fi
"""

_ZSH = r"""#compdef orbit
# zsh completion for orbit.  In ~/.zshrc, after compinit:  eval "$(orbit completions zsh)"
_orbit() {
    local kind line text
    local -a before lines texts shown open_texts open_shown
    before=("${(@Q)words[1,CURRENT-1]}")
    lines=("${(@f)$($before[1] __complete zsh "${(@)before[2,-1]}" "${(Q)PREFIX}" </dev/null 2>/dev/null)}")
    kind=$lines[1]
    for line in "${(@)lines[2,-1]}"; do
        text=${line%%$'\t'*}
        if [[ $text == */ ]]; then
            open_texts+=("$text")
            open_shown+=("${line/$'\t'/  -- }")
        else
            texts+=("$text")
            shown+=("${line/$'\t'/  -- }")
        fi
    done
    (( $#texts )) && compadd -l -d shown -a texts
    (( $#open_texts )) && compadd -S '' -d open_shown -a open_texts
    if [[ $kind == files ]]; then
        [[ $PREFIX == --*=* ]] && compset -P '*='
        _files
    fi
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _orbit "$@"
else
    compdef _orbit orbit
fi
"""

_FISH = r"""# fish completion for orbit.  In ~/.config/fish/config.fish:  orbit completions fish | source
function __orbit_complete
    set -l before (commandline -opc)
    set -l raw (commandline -ct)
    set -l word (string unescape -- "$raw"; or echo -- $raw)
    set -l lines ($before[1] __complete fish $before[2..-1] "$word" </dev/null 2>/dev/null)
    if test "$lines[1]" = files
        set -l prefix (string match -r -- '^--[^=]*=' "$word")
        for path in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' "$word"))
            printf '%s%s\n' "$prefix" $path
        end
    end
    printf '%s\n' $lines[2..-1]
end
complete -c orbit -e
complete -c orbit -f -a '(__orbit_complete)'
"""

SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""By shell."""
