# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libengine.a
src_libengine_a_SOURCES = \
	src/engine/change_log.c src/engine/change_log.h \
	src/engine/command.c src/engine/command.h \
	src/engine/command_table.c \
	src/engine/engine.c src/engine/engine.h \
	src/engine/engine_internal.h \
	src/engine/history.c src/engine/history.h \
	src/engine/housekeeping.c \
	src/engine/job.c src/engine/job.h \
	src/engine/job_file.c src/engine/job_file.h \
	src/engine/job_queue.c src/engine/job_queue.h \
	src/engine/leave.c \
	src/engine/meter.c src/engine/meter.h \
	src/engine/move.h \
	src/engine/news.c src/engine/news.h \
	src/engine/ops.c src/engine/ops.h \
	src/engine/ops_common.c src/engine/ops_common.h \
	src/engine/section.c src/engine/section.h \
	src/engine/snapshot.c src/engine/snapshot.h \
	src/engine/state.c src/engine/state.h \
	src/engine/state_internal.h \
	src/engine/state_history.c src/engine/state_history.h \
	src/engine/state_jobs.c src/engine/state_jobs.h \
	src/engine/state_order.c \
	src/engine/state_snapshot.c \
	src/engine/watcher.c src/engine/watcher.h \
	src/engine/watcher_internal.h \
	src/engine/watcher_tree.c \
	src/engine/workers.c src/engine/workers.h \
	$(engine_verbs) \
	$(engine_catalog) \
	$(engine_kernel) \
	$(engine_image) \
	$(engine_machine) \
	$(engine_host)

# What it can do: a row for each verb.
engine_verbs = \
	src/engine/verbs/verbs.h \
	src/engine/verbs/verbs_catalog.c \
	src/engine/verbs/verbs_host.c \
	src/engine/verbs/verbs_image.c \
	src/engine/verbs/verbs_kernel.c \
	src/engine/verbs/verbs_vm.c \
	src/engine/verbs/verbs_vm_guest.c \
	src/engine/verbs/verbs_vm_life.c \
	src/engine/verbs/verbs_vm_snapshot.c

# How each verb is carried out, subject by subject.
engine_catalog = \
	src/engine/catalog/ops_catalog.c src/engine/catalog/ops_catalog.h \
	src/engine/catalog/ops_catalog_apt.c \
	src/engine/catalog/ops_catalog_document.c \
	src/engine/catalog/ops_catalog_key.c \
	src/engine/catalog/ops_catalog_load.c \
	src/engine/catalog/ops_catalog_publish.c src/engine/catalog/ops_catalog_publish.h \
	src/engine/catalog/ops_catalog_sources.c \
	src/engine/catalog/ops_fetch.c src/engine/catalog/ops_fetch.h

engine_kernel = \
	src/engine/kernel/ops_boot_kernel.c src/engine/kernel/ops_boot_kernel.h \
	src/engine/kernel/ops_initrd.c src/engine/kernel/ops_initrd.h \
	src/engine/kernel/ops_kernel.c src/engine/kernel/ops_kernel.h \
	src/engine/kernel/ops_kernel_elf.c src/engine/kernel/ops_kernel_elf.h \
	src/engine/kernel/ops_kernel_export.c \
	src/engine/kernel/ops_kernel_import.c \
	src/engine/kernel/ops_kernel_pull.c \
	src/engine/kernel/ops_kernel_verify.c \
	src/engine/kernel/ops_preflight.c src/engine/kernel/ops_preflight.h

engine_image = \
	src/engine/image/ops_image.c src/engine/image/ops_image.h \
	src/engine/image/ops_image_bundle.c \
	src/engine/image/ops_image_draft.c src/engine/image/ops_image_draft.h \
	src/engine/image/ops_image_promote.c \
	src/engine/image/ops_image_pull.c \
	src/engine/image/ops_image_register.c \
	src/engine/image/ops_image_registry.c src/engine/image/ops_image_registry.h \
	src/engine/image/ops_image_verify.c

engine_machine = \
	src/engine/machine/guest_blob.c src/engine/machine/guest_blob.h \
	src/engine/machine/ops_ssh.c src/engine/machine/ops_ssh.h \
	src/engine/machine/ops_vm.c src/engine/machine/ops_vm.h \
	src/engine/machine/ops_vm_autostart.c \
	src/engine/machine/ops_vm_boot.c \
	src/engine/machine/ops_vm_change.c \
	src/engine/machine/ops_vm_check.c \
	src/engine/machine/ops_vm_clone.c \
	src/engine/machine/ops_vm_copy.c \
	src/engine/machine/ops_vm_create.c \
	src/engine/machine/ops_vm_env.c \
	src/engine/machine/ops_vm_figures.c \
	src/engine/machine/ops_vm_ends.c \
	src/engine/machine/ops_vm_forward.c \
	src/engine/machine/ops_vm_guest.h \
	src/engine/machine/ops_vm_hand.c \
	src/engine/machine/ops_vm_life.c \
	src/engine/machine/ops_vm_memory.c \
	src/engine/machine/ops_vm_mounts.c \
	src/engine/machine/ops_vm_ports.c \
	src/engine/machine/ops_vm_restore.c \
	src/engine/machine/ops_vm_run.c \
	src/engine/machine/ops_vm_set.c \
	src/engine/machine/ops_vm_snapshot.c src/engine/machine/ops_vm_snapshot.h \
	src/engine/machine/ops_vm_ssh.c \
	src/engine/machine/ops_vm_stats.c \
	src/engine/machine/ops_vm_stop.c \
	src/engine/machine/ops_vm_stream.c \
	src/engine/machine/ops_vm_table.c \
	src/engine/machine/ops_vm_vmm.c

engine_host = \
	src/engine/host/ops_cgroup.c \
	src/engine/host/ops_events.c src/engine/host/ops_events.h \
	src/engine/host/ops_events_deeds.c \
	src/engine/host/ops_host.c src/engine/host/ops_host.h \
	src/engine/host/ops_host_df.c \
	src/engine/host/ops_host_files.c \
	src/engine/host/ops_host_gc.c \
	src/engine/host/ops_job.c \
	src/engine/host/ops_logout.c \
	src/engine/host/ops_net.c src/engine/host/ops_net.h \
	src/engine/host/ops_net_doctor.c \
	src/engine/host/ops_net_host.c \
	src/engine/host/ops_store_doctor.c \
	src/engine/host/ops_trash.c src/engine/host/ops_trash.h
