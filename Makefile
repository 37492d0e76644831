# Bounded waits: the one interface to the kit. "make help" lists what it does.
#
# A program is added by adding its file: chapters/NN_topic/NAME.c, with NAME in
# its second line; a copy that you change beside it is not one of them. What is
# made stands below build/, which mirrors the tree. All paths are relative, so
# that a folder with blanks in its name is fine.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all tour doctor next status check memcheck soak verify lint format \
    docs-update pictures clean help
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Tests mostly wait: two at a time on each core, unless you say otherwise. Those
# of the gate keep it busy.
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
cores := $(or $(shell nproc 2>/dev/null),1)
jobs := $(shell echo $$(($(cores) $(if $(filter verify,$(MAKECMDGOALS)),+ 1,* 2))))
MAKEFLAGS += -j$(jobs)
endif
# An exercise is found by its solution.
exercises := $(sort $(basename $(notdir $(wildcard solutions/*/*.c))))

# A verdict is printed in one piece; what you run yourself prints at once.
ifneq ($(filter-out $(exercises:%=check-%),\
    $(filter check% memcheck verify,$(MAKECMDGOALS))),)
MAKEFLAGS += --output-sync=target
endif

ifeq ($(origin CC),default)
CC := cc
endif
BUILD := build

# What is missing is said at once and in one line, before anything starts.
goals := $(or $(MAKECMDGOALS),all)
wanted := $(if $(filter-out help clean doctor lint format,$(goals)),$(firstword $(CC))) \
    $(if $(filter check% watch% memcheck soak verify,$(goals)),bats) \
    $(if $(filter check% watch% next status reset% soak verify,$(goals)),patch)
missing := $(if $(strip $(wanted)),$(shell tests/tools/need.sh $(wanted)))
ifneq ($(missing),)
$(error $(missing))
endif

# Without fortification: it turns poll into __poll_chk, which no test replaces.
KIT_FLAGS := -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow \
    -Wformat=2 -Wundef -Wvla -Wwrite-strings -Wstrict-prototypes \
    -Wmissing-prototypes -Werror -O1 -g -U_FORTIFY_SOURCE
Q := $(if $(V),,@)

chapters := $(sort $(notdir $(patsubst %/,%,$(wildcard chapters/*/))))
programs := $(sort $(basename $(shell awk 'FNR == 2 && \
    FILENAME ~ "/" $$2 "[.]c$$" { print FILENAME }' \
    $(wildcard chapters/*/*.c) </dev/null)))
names := $(notdir $(programs))
numbers := $(foreach chapter,$(chapters),$(firstword $(subst _, ,$(chapter))))
all_programs := $(programs:%=$(BUILD)/%)
all_solutions := $(patsubst %.c,$(BUILD)/%,$(wildcard solutions/*/*.c))
libraries := $(BUILD)/tools/interpose.so $(BUILD)/tools/cage_calls.so
c_tools := $(patsubst tests/%.c,$(BUILD)/%,\
    $(filter-out $(libraries:$(BUILD)/%.so=tests/%.c),\
    $(wildcard tests/tools/*.c)))
all_tools := $(c_tools) $(libraries)
all_tests := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/kit/*.c))

##: Build and play

all: $(all_programs) $(all_solutions) $(all_tools) ## builds everything; "make" alone does the same

tour: all ## plays the headline program of each chapter
	$(Q)KIT_BUILD=$(BUILD) tests/tools/tour.sh $(chapters)

## run-NAME: builds and runs one program: make run-svsem_timed ARGS='100ms'
## trace-NAME: the same, and draws what it waited for
## fault-NAME: the same, with a call that fails: FAULT='semtimedop:EINTR@1'

doctor: ## what this machine has of what the kit wants, and what was left behind
	$(Q)tests/tools/doctor.sh

##: Exercises

next: ## the next exercise of the core that you have not passed; ALL=1: of all
	$(Q)tests/tools/exercise.sh next

## check-NAME: compiles yours, runs its checks, and says what is wrong
## watch-NAME: the same at each save, until Ctrl-C
## hint-NAME: the next hint; there are three
## compare-NAME: after a pass: yours beside the solution; FORCE=1: at once
## reset-NAME: puts the starter back; yours is kept as NAME.c.orig-N
status: ## how far you are
	$(Q)tests/tools/exercise.sh status

## answers-NAME: for instructors: wrong answers, and what the checks say to them

##: Check

check: ## tests everything that a user wants to know; JUNIT=FILE for a report
## check-NN: tests one chapter: make check-07
## check-NAME: tests one exercise, or the chapter of one program
memcheck: ## the tests of the chapters, each program under valgrind
soak: ## the tests N times with every core kept busy: make soak N=50

##: Maintain

verify: ## the maintainers' gate: compilers, sanitizers, all signals, lint
lint: ## holds the sources against clang-format and shellcheck
	$(Q)tests/tools/lint.sh

format: ## lays the C sources out with clang-format
	$(Q)clang-format -i $(wildcard */*.h */*/*.[ch])

docs-update: all ## puts the output of real runs into the READMEs; read the diff
	$(Q)for readme in $(wildcard README.md */*/README.md */*/HINTS.md); do \
	    tests/tools/fences.sh update $$readme; \
	done

pictures: all ## draws the pictures of the READMEs from real runs
	$(Q)KIT_BUILD=$(BUILD) tests/tools/lens.sh pictures $(wildcard chapters/*/README.md)

clean: ## removes build/ and nothing else
	$(Q)rm -rf build

help: ## this list
	$(Q)awk -f tests/tools/help.awk Makefile

# --- building ---

# $1: flags of its own.
compile = $(if $(V),,@echo "  cc    $<";) mkdir -p $(@D) && \
    $(CC) $(KIT_FLAGS) $1 -MMD -MP -MF $@.d $< -o $@

$(all_programs) $(all_solutions): $(BUILD)/%: %.c Makefile
	$(call compile,$(SANITIZE))

$(c_tools) $(all_tests): $(BUILD)/%: tests/%.c Makefile
	$(call compile,)

$(libraries): $(BUILD)/tools/%.so: tests/tools/%.c Makefile
	$(call compile,-shared -fPIC)

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)

.PHONY: programs
programs: $(all_programs) $(all_solutions)

# --- test suites: one process of bats each, side by side ---

# $1: name, $2: bats files, $3: what must be built, $4: its environment.
define suite
.PHONY: suite/$1
suite/$1: $3
	$$(Q)$4 tests/tools/suite.sh $1 $2
endef
built = $(filter $(BUILD)/chapters/$1/%,$(all_programs)) $(all_tools)

# The gate keeps a machine busy for long: its guards against hanging wait longer.
patient := KIT_TIME_SCALE=3 KIT_SUITE_LIMIT=600s
very_patient := KIT_TIME_SCALE=5 KIT_SUITE_LIMIT=360s

# $1: a chapter. Its READMEs are tests too, and what holds for all programs is.
define chapter_suites
$(call suite,chapters/$1,tests/chapters/$1.bats,$(call built,$1))
$(call suite,memcheck/$1,tests/chapters/$1.bats,$(call built,$1),KIT_UNDER=memcheck $(very_patient))
$(call suite,programs/$1,tests/kit/programs.bats tests/kit/signals.bats,$(call built,$1) $(all_tests),KIT_CHAPTER=$1)
$(call suite,every-signal/$1,tests/kit/signals.bats,$(call built,$1) $(all_tests),KIT_CHAPTER=$1 KIT_ALL=1 $(patient))
$(call suite,faults/$1,tests/kit/faults.bats,$(call built,$1),KIT_CHAPTER=$1 $(patient))
$(call suite,readmes/$1,$(BUILD)/readmes/$1.bats,$(call built,$1) $(BUILD)/readmes/$1.bats)
$(BUILD)/readmes/$1.bats: $(wildcard chapters/$1/README.md exercises/$1/HINTS.md) tests/tools/fences.sh
	$$(Q)mkdir -p $$(@D) && tests/tools/fences.sh bats $(wildcard chapters/$1/README.md exercises/$1/HINTS.md) >$$@
endef
$(foreach chapter,$(chapters),$(eval $(call chapter_suites,$(chapter))))

$(eval $(call suite,readmes/top,$(BUILD)/readmes/top.bats,all $(BUILD)/readmes/top.bats))
$(BUILD)/readmes/top.bats: README.md tests/tools/fences.sh
	$(Q)mkdir -p $(@D) && tests/tools/fences.sh bats README.md >$@

kit_suites := $(filter-out programs signals faults,$(basename $(notdir $(wildcard tests/kit/*.bats))))
# Tests of the tools that test: for who changes them, in the gate.
of_tools := bound fault_matrix lens strike
$(foreach s,$(kit_suites),$(eval $(call suite,kit/$s,tests/kit/$s.bats,all $(all_tests))))

# What a few rounds in check cannot show.
$(eval $(call suite,every-round/send_all,tests/kit/send_all_rounds.bats,all $(all_tests),KIT_ALL=1 $(patient)))
$(eval $(call suite,every-round/wait_graph,tests/kit/wait_graph_looks.bats,all $(all_tests),KIT_ALL=1 $(patient)))

gate_suites := $(basename $(notdir $(wildcard tests/kit/gate/*.bats)))
$(foreach s,$(gate_suites),$(eval $(call suite,gate/$s,tests/kit/gate/$s.bats,all $(all_tests),$(patient))))

# $1: a solution. Its exercise is a suite too, and has commands of its own.
define exercise_rules
$(call suite,solutions/$(notdir $1),tests/exercises/$(notdir $1).bats,$(BUILD)/$1 $(all_tools),KIT_SUBJECT=$(BUILD)/$(dir $1))
.PHONY: suite/exercises/$(notdir $1) $(exercise_commands:%=%-$(notdir $1))
suite/exercises/$(notdir $1) check-$(notdir $1) watch-$(notdir $1): $(all_tools)
suite/exercises/$(notdir $1):
	$$(Q)tests/tools/exercise.sh suite $(notdir $1)
$(exercise_commands:%=%-$(notdir $1)):
	$$(Q)tests/tools/exercise.sh $$(@:%-$(notdir $1)=%) $(notdir $1)
endef
exercise_commands := check watch hint compare reset answers
$(foreach s,$(basename $(wildcard solutions/*/*.c)),$(eval $(call exercise_rules,$s)))

.PHONY: suite/answers
suite/answers: $(all_tools)
	$(Q)tests/tools/prove.sh || : # tally.sh adds up

# $1: goal, $2: its suites.
define checking
.PHONY: $1
$1: $(addprefix suite/,$2)
	$$(Q)tests/tools/tally.sh $2
endef
of_chapter = $(addsuffix /$1,programs chapters readmes) \
    $(addprefix exercises/,$(basename $(notdir $(wildcard solutions/$1/*.c))))
$(eval $(call checking,check,$(foreach chapter,$(chapters),$(call of_chapter,$(chapter))) $(exercises:%=solutions/%) $(patsubst %,kit/%,$(filter-out $(of_tools),$(kit_suites))) readmes/top))
$(eval $(call checking,memcheck,$(chapters:%=memcheck/%)))
$(eval $(call checking,verify,$(addprefix kit/,$(of_tools)) $(gate_suites:%=gate/%) $(if $(exercises),answers) $(chapters:%=every-signal/%) $(chapters:%=faults/%) every-round/send_all every-round/wait_graph $(chapters:%=memcheck/%)))
$(foreach chapter,$(chapters),$(eval $(call checking,check-$(firstword $(subst _, ,$(chapter))),$(call of_chapter,$(chapter)))))

soak: all $(all_tests)
	$(Q)tests/tools/soak.sh $(or $(N),10) $(or $(WHAT),check)

# --- one program ---

define program_rules
.PHONY: $(one_program:%=%-$(notdir $1))
run-$(notdir $1): $(BUILD)/$1
	$$(Q)$$< $$(ARGS) || $$(outcome)
trace-$(notdir $1): $(BUILD)/$1 $(all_tools)
	$$(Q)KIT_BUILD=$(BUILD) tests/tools/lens.sh trace $$< $$(ARGS)
fault-$(notdir $1): $(BUILD)/$1 $(all_tools)
	$$(Q)KIT_BUILD=$(BUILD) tests/tools/lens.sh fault '$$(FAULT)' $$< $$(ARGS)
check-$(notdir $1): check-$(firstword $(subst _, ,$(notdir $(patsubst %/,%,$(dir $1)))))
endef
one_program := run trace fault check
# 3 and 77 are answers, not errors: make would call them errors.
outcome = case $$? in \
    3) echo 'exit code 3: the bound was reached' ;; \
    77) echo 'exit code 77: this machine lacks what the program shows' ;; \
    *) exit 1 ;; esac
$(foreach p,$(programs),$(eval $(call program_rules,$p)))

# What no rule above made is a name that does not exist.
run-% trace-% fault-%:
	@echo "make: there is no program '$*'; there are: $(names)" >&2; exit 2

check-%:
	@echo "make: there is nothing called '$*' to check; there are: $(numbers) $(exercises) $(names)" >&2; exit 2

watch-% hint-% compare-% reset-% answers-%:
	@echo "make: there is no exercise '$*'; there are: $(exercises)" >&2; exit 2
