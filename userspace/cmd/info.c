// SPDX-License-Identifier: GPL-2.0
/* mvmm info: what this host offers, or why it cannot run guests. */
#include <argp.h>
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/cmd.h"
#include "libmvmm.h"

static const struct argp_option option_list[] = {
	{ "mvmm", 'm', "FILE", 0, "instead of " MVMM_DEVICE, 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != 'm')
		return ARGP_ERR_UNKNOWN;
	*(const char **)state->input = arg;
	return 0;
}

static void print_cpu(void)
{
	unsigned int r[12] = { 0 }, i, ecx = 0, unused;
	bool vmx, svm;
	char brand[49] = "";

	for (i = 0; i < 3; i++)
		__get_cpuid(0x80000002 + i, &r[4 * i], &r[4 * i + 1],
			    &r[4 * i + 2], &r[4 * i + 3]);
	memcpy(brand, r, 48);
	printf("CPU:             %s\n", brand);
	__get_cpuid(1, &unused, &unused, &ecx, &unused);
	vmx = ecx >> 5 & 1;
	ecx = 0;
	__get_cpuid(0x80000001, &unused, &unused, &ecx, &unused);
	svm = ecx >> 2 & 1;
	printf("CPUID has:       %s\n", vmx ? "VMX" : svm ? "SVM" :
	       "neither VMX nor SVM (in a VM: nested virtualization is off)");
}

/* What the module can be built without: Documentation/options.rst */
static void print_options(__u64 features)
{
	static const struct { __u64 feature; const char *name; } all[] = {
		{ MVMM_FEATURE_SCHED, "scheduler" },
		{ MVMM_FEATURE_PV, "KVM's interface" },
		{ MVMM_FEATURE_IOEVENTFD, "ioeventfd" },
		{ MVMM_FEATURE_IRQFD, "irqfd" },
		{ MVMM_FEATURE_DIRTY_LOG, "dirty log" },
		{ MVMM_FEATURE_DIRTY_RING, "dirty rings" },
	};
	const char *separator = "";
	unsigned int i;

	printf("built with:      ");
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!(features & all[i].feature))
			continue;
		printf("%s%s", separator, all[i].name);
		separator = ", ";
	}
	printf("%s\n", *separator ? "" : "no options");
}

static void print_info(const struct mvmm_info *info)
{
	printf("extension:       %s\n",
	       info->features & MVMM_FEATURE_VMX ? "VMX with EPT" :
	       info->features & MVMM_FEATURE_SVM ? "SVM with NPT" : "?");
	printf("tagged TLB:      %s\n",
	       info->features & MVMM_FEATURE_TAGGED_TLB ? "yes" : "no");
	printf("nested A/D bits: %s\n",
	       info->features & MVMM_FEATURE_NESTED_AD ? "yes" : "no");
	printf("local APICs:     %s\n",
	       info->features & MVMM_FEATURE_APIC ? "yes" : "no");
	print_options(info->features);
	printf("vCPUs per VM:    %u\n", info->max_vcpus);
	printf("regions per VM:  %u\n", info->max_regions);
	printf("guest-physical:  %u bits\n", info->gpa_bits);
	printf("XCR0 of guests:  0x%llx\n", (unsigned long long)info->xcr0);
	printf("TSC:             %u kHz%s\n", info->tsc_khz,
	       info->features & MVMM_FEATURE_TSC_SCALING ?
	       ", guests' may differ" : "");
}

int cmd_info(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list, .parser = parse,
		.doc = "Show what this host offers to guests, or what stands in the way." };
	const char *device = MVMM_DEVICE;
	struct error error = { 0 };
	struct mvmm_info info;
	int system, vm, ret;

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &device))
		return STATUS_USAGE;
	print_cpu();
	system = mvmm_open(device);
	ret = system < 0 ? system : mvmm_get_info(system, &info);
	if (!ret) {
		print_info(&info);
		/* Only an attempt shows whether another VMM owns VMX or SVM */
		vm = mvmm_create_vm(system);
		if (vm < 0)
			ret = vm;
		else
			close(vm);
	}
	if (system >= 0)
		close(system);
	if (ret) {
		explain_open(-ret, device, &error);
		fprintf(stderr, "mvmm info: %s\n", error.text);
		return error.status;
	}
	printf("VMs can be made: yes\n");
	return 0;
}
